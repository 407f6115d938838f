from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from healer.server.middleware.limits import LIMIT_BYTES, LIMIT_FIELDS, host_of
from healer.settings.loading import load_settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

EXPECTED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/openapi.json", "/nothing"])
def test_every_answer_is_hardened(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in EXPECTED} == EXPECTED


def test_an_answer_in_events_too(client: TestClient) -> None:
    accept = {"Accept": "text/event-stream"}
    answer = client.post("/predict", files={"image_file": png()}, headers=accept)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


def test_the_page_keeps_its_own_policy(client: TestClient) -> None:
    headers = client.get("/", headers={"Accept": "text/html"}).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-cache"


def test_a_failure_nobody_foresaw_is_hardened_and_named() -> None:
    app = create_app(load_settings(), engine=FakeEngine())

    async def fail() -> None:
        raise RuntimeError

    app.add_api_route("/fail", fail)
    answer = TestClient(app).get("/fail", headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "r-1"
    assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED


def test_a_head_beyond_its_limits_is_refused(client: TestClient) -> None:
    long = {"Cookie": "a" * LIMIT_BYTES}
    many = {f"X-{number}": "a" for number in range(LIMIT_FIELDS)}
    for refused in (
        client.get("/health", headers=long),
        client.get("/health", headers=many),
        client.get("/health", params={"a": "a" * LIMIT_BYTES}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (431, "head_too_large")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert client.get("/health", headers={"Cookie": "a" * (LIMIT_BYTES // 2)}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("healer.example.org", 200),
        ("HEALER.example.org:8443", 200),
        ("a.b.example.com", 200),
        ("example.com", 400),
        ("evil.org", 400),
        ("healer.example.org.evil.org", 400),
        ("evil.org@healer.example.org", 200),  # what stands before @ is no host
        ("healer.example.org@evil.org", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_only_its_own_names_are_answered(host: str, status: int) -> None:
    settings = load_settings(trusted_hosts="Healer.example.org,*.example.com")
    client = TestClient(create_app(settings, engine=FakeEngine()))
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "host_unknown"
    assert client.get("/health", headers={"Host": host}).status_code == 200  # a probe's


def test_a_host_is_read_without_its_port() -> None:
    assert host_of("[::1]:8080") == "::1"
    assert host_of("Healer:80") == "healer"


def test_by_default_any_name_will_do(client: TestClient) -> None:
    wait_until_ready(client)
    assert client.get("/", headers={"Host": "anything.example.org"}).status_code == 200
