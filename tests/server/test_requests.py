"""Requests that could be answered about something else than what was meant."""

from __future__ import annotations

import gc
import gzip
import warnings
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from healer.server.middleware import instrumentation
from healer.server.requests import FORM_FIELDS
from tests.fake_engine import FakeEngine
from tests.faults.service import settings
from tests.server.conftest import png
from tests.server.test_predict import refusal

PINK, GREEN = png("pink"), png("green")
BOUNDARY = "between"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(disposition: str, body: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body + b"\r\n"


def sent(client: TestClient, *parts: bytes, **headers: str) -> httpx.Response:
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    answer: httpx.Response = client.post("/predict", content=body, headers={**FORM, **headers})
    return answer


IMAGE = part('name="image_file"; filename="a.png"', PINK)
GATE = part('name="gate"', b"off")


def test_of_two_pictures_none_is_answered(client: TestClient) -> None:
    another = part('name="image_file"; filename="b.png"', GREEN)
    problem = refusal(sent(client, IMAGE, another), 422, "repeated_field")
    assert (problem["field"], problem["count"]) == ("image_file", 2)
    assert "a request of its own" in problem["detail"]
    assert (problem["retryable"], problem["retry_after"]) == (False, None)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ((IMAGE, GATE, part('name="gate"', b"refuse")), "gate"),
        ((IMAGE, part('name="image_file"', b"a.png")), "image_file"),  # one of them is text
        ((IMAGE, IMAGE, IMAGE, GATE, GATE), "image_file"),
    ],
)
def test_nor_is_any_of_two_wishes_chosen(
    client: TestClient, parts: tuple[bytes, ...], field: str
) -> None:
    assert refusal(sent(client, *parts), 422, "repeated_field")["field"] == field


@pytest.mark.parametrize("name", ["gates", "mpp", "Gate", "image", "é", "x" * 500])
def test_a_field_that_is_not_known_is_refused_with_the_names_of_those_that_are(
    client: TestClient, name: str
) -> None:
    problem = refusal(sent(client, IMAGE, part(f'name="{name}"', b"off")), 422, "unknown_field")
    assert problem["known"] == ", ".join(FORM_FIELDS)
    assert all(known in problem["detail"] for known in FORM_FIELDS)
    assert f" {name} " not in problem["detail"]  # which could be a patient's


def test_nor_is_a_file_in_such_a_field_dropped(client: TestClient) -> None:
    another = part('name="image_file2"; filename="b.png"', GREEN)
    refusal(sent(client, IMAGE, another), 422, "unknown_field")


def test_a_wish_that_is_sent_as_a_file_is_not_ignored(client: TestClient) -> None:
    gate = part('name="gate"; filename="gate.txt"', b"off")
    problem = refusal(sent(client, IMAGE, gate), 400, "malformed_form")
    assert "field gate is a file" in problem["detail"]


@pytest.mark.parametrize(
    "address", ["/predict?gate=off", "/predict?gate=", "/predict?x=1&gate=off"]
)
def test_a_wish_in_the_address_is_not_ignored(client: TestClient, address: str) -> None:
    answer = client.post(address, files={"image_file": PINK})
    problem = refusal(answer, 422, "unknown_parameter")
    assert problem["known"] == ", ".join(FORM_FIELDS)


@pytest.mark.parametrize(
    "disposition",
    [
        "name=\"image_file\"; filename*=UTF-8''t%C3%BCmor.png",
        "name=image_file; filename*=utf-8''a.png",
        "name=\"image_file\"; FileName*=UTF-8''a.png",
        'name="image_file"; filename*0="a"; filename*1=".png"',
        'name="image_file"; filename="a.png"; filename*=UTF-8\'\'b.png',
        'name="image_file"; filename=""',
    ],
)
def test_a_file_part_is_one_however_its_name_is_encoded(
    client: TestClient, disposition: str
) -> None:
    answer = sent(client, part(disposition, PINK), GATE)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "yes")


def test_a_part_that_is_encoded_is_not_taken_for_the_picture(client: TestClient) -> None:
    encoded = part(
        'name="image_file"; filename="a.png"', b"aGVsbG8=", "Content-Transfer-Encoding: base64"
    )
    problem = refusal(sent(client, encoded), 400, "malformed_form")
    assert "Content-Transfer-Encoding" in problem["detail"]
    binary = part('name="image_file"; filename="a"', PINK, "Content-Transfer-Encoding: Binary")
    assert sent(client, binary).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate, gzip"])
def test_a_compressed_body_is_named_as_that(client: TestClient, encoding: str) -> None:
    body = gzip.compress(IMAGE + f"--{BOUNDARY}--\r\n".encode())
    answer = client.post("/predict", content=body, headers={**FORM, "Content-Encoding": encoding})
    refusal(answer, 415, "body_encoded")
    assert answer.headers["accept-encoding"] == "identity"
    assert sent(client, IMAGE, **{"Content-Encoding": "identity"}).status_code == 200


def test_of_two_deadlines_none_is_chosen(client: TestClient) -> None:
    headers = [("X-Request-Timeout", "30"), ("X-Request-Timeout", "60")]
    answer = client.post("/predict", files={"image_file": PINK}, headers=headers)
    refusal(answer, 400, "invalid_timeout")


@pytest.mark.parametrize(
    ("accept", "streamed"),
    [
        ([], False),
        (["*/*"], False),
        (["application/json"], False),
        (["text/event-stream"], True),
        (["text/event-stream, */*"], True),
        (["application/json, text/event-stream"], True),
        (["application/json, text/event-stream;q=0"], False),
        (["application/json, text/event-stream; Q=0.000"], False),
        (["*/*, text/event-stream;q=0"], False),
        (["text/event-stream;q=0.5, application/json;q=0.6"], False),
        (["text/event-stream;q=0.6, application/json;q=0.5"], True),
        (["text/event-stream;q=0.1, */*;q=0.9"], False),
        (["text/*"], True),
        (["Text/Event-Stream"], True),
        (["application/json;q=0.1", "text/event-stream"], True),  # two headers are one list
        (["text/event-streams"], False),
        (["text/html"], False),
        (["nonsense, ;;, text/event-stream"], True),
        (["nonsense"], False),
    ],
)
def test_accept_is_read_as_it_is_meant(
    client: TestClient, accept: list[str], streamed: bool
) -> None:
    client.headers.pop("accept", None)
    headers = [("Accept", each) for each in accept] or [("Accept", "")]
    answer = client.post("/predict", files={"image_file": PINK}, headers=headers)
    kind = "text/event-stream" if streamed else "application/json"
    assert answer.headers["content-type"].split(";")[0] == kind


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json, text/html;q=0", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_so_it_is_for_the_page(client: TestClient, accept: str, kind: str) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"].split(";")[0] == kind


PATHS = ["/", "/health", "/ready", "/openapi.json", "/metrics", "/docs", "/docs/swagger-ui.css"]


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.content == b""
    assert head.status_code == got.status_code == 200
    own = {"x-request-id", "content-length"}  # /health holds a time, of another length each second
    assert {k: v for k, v in head.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }
    assert int(head.headers["content-length"]) > 0


def test_head_is_as_ready_as_get() -> None:
    with TestClient(create_app(settings(), engine=FakeEngine())) as client:
        client.app.state.service.begin_shutdown()  # type: ignore[attr-defined]
        head = client.head("/ready")
        assert (head.status_code, head.content, head.headers["retry-after"]) == (503, b"", "5")


def test_head_is_logged_as_what_it_was(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    client.head("/health")
    (event,) = [each.msg for each in caplog.records if each.name == instrumentation.__name__]
    assert isinstance(event, dict)
    assert (event["method"], event["route"], event["status"]) == ("HEAD", "/health", 200)


@pytest.mark.parametrize("path", ["/nothing", "/predicts", "/docs/x", "/page/x.js"])
def test_an_address_that_does_not_exist_says_which_do(client: TestClient, path: str) -> None:
    problem = refusal(client.get(path, follow_redirects=False), 404, "not_found")
    for known in ("POST /predict", "/docs", "/openapi.json"):
        assert known in problem["detail"]
    assert problem["retryable"] is False


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("HEAD", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("OPTIONS", "/predict", "POST"),
        ("GET", "/reviews", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_says_which_are(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        problem = refusal(answer, 405, "method_not_allowed")
        assert f"takes {allowed} alone" in problem["detail"]
        assert "POST /predict" in problem["detail"]


def review(client: TestClient, body: bytes, address: str = "/reviews") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    problem: dict[str, Any] = client.post(address, content=body, headers=headers).json()
    return problem


def test_nor_is_a_reviewers_second_word_taken_for_the_only_one(client: TestClient) -> None:
    twice = review(client, b'{"request_id": "r1", "agrees": true, "agrees": false}')
    assert twice["code"] == "review_unreadable"
    assert "more than once" in twice["detail"]
    assert review(client, b"{}", "/reviews?agrees=true")["code"] == "unknown_parameter"
    assert review(client, b"[" * 9000)["code"] == "review_unreadable"


def test_the_file_of_a_form_that_breaks_off_is_closed(client: TestClient) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        response = client.post("/predict", content=IMAGE[:-9], headers=FORM)
        gc.collect()
    refusal(response, 422, "missing_field")
    assert [str(warning.message) for warning in caught if "Unclosed file" in str(warning)] == []
