from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx2 as httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from healer import NOTICE
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.images.hostile.parts import encode
from tests.server.conftest import png, wait_until_ready


def post(client: TestClient, data: bytes, field: str = "image_file") -> httpx.Response:
    response: httpx.Response = client.post("/predict", files={field: ("patient-name.png", data)})
    return response


def refusal(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:healer:problem:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return problem


def test_a_pink_tile_gets_the_fake_engines_yes(client: TestClient) -> None:
    answer = post(client, png("red")).json()
    assert answer["verdict"] == "yes"
    assert answer["prediction"].startswith("Yes. The fake engine says yes")
    assert answer["prediction"].endswith(answer["explanation"])
    assert answer["probability"] > 0.99
    assert answer["calibrated"] is False
    assert answer["findings"] == [{"name": "pinkness", "probability": 1.0}]
    assert answer["model"]["engine"] == "fake"
    assert answer["model"]["thresholds"] == {"lower": 0.5, "upper": 0.5}
    assert answer["tile"] == {"width": 64, "height": 64, "mpp": None, "page": None}
    assert answer["notice"] == NOTICE
    stages = {"receive", "decode", "gate", "queue", "score", "explain", "total"}
    assert set(answer["timings_ms"]) == stages


def test_a_green_tile_gets_its_no(client: TestClient) -> None:
    answer = post(client, png("green")).json()
    assert answer["verdict"] == "no"
    assert answer["prediction"].startswith("No. ")


def test_the_callers_request_id_is_returned(client: TestClient) -> None:
    headers = {"X-Request-ID": "run-7.tile_3"}
    response = client.post("/predict", files={"image_file": png()}, headers=headers)
    assert response.json()["request_id"] == "run-7.tile_3"


@pytest.mark.parametrize("offered", ["a b", "x" * 65, "<script>", "é"])
def test_a_request_id_that_could_do_harm_is_replaced(client: TestClient, offered: str) -> None:
    response = client.get("/health", headers={b"X-Request-ID": offered.encode()})
    assert len(response.headers["x-request-id"]) == 32


def test_an_empty_file(client: TestClient) -> None:
    refusal(post(client, b""), 422, "empty_file")


def test_a_missing_field(client: TestClient) -> None:
    problem = refusal(post(client, png(), field="picture"), 422, "missing_field")
    assert problem["field"] == "image_file"


def test_text_where_a_file_belongs(client: TestClient) -> None:
    form = {"image_file": (None, "tile.png")}
    refusal(client.post("/predict", files=form), 422, "missing_field")


def test_not_a_multipart_form(client: TestClient) -> None:
    refusal(client.post("/predict", json={}), 415, "upload_not_multipart")
    refusal(client.post("/predict"), 415, "upload_not_multipart")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary here"),
        ("multipart/form-data; boundary=b", b"--b\r\nBroken\r\n\r\n--b--"),
    ],
)
def test_a_malformed_form(client: TestClient, content_type: str, body: bytes) -> None:
    response = client.post("/predict", content=body, headers={"Content-Type": content_type})
    refusal(response, 400, "malformed_form")


def test_not_an_image(client: TestClient) -> None:
    refusal(post(client, b"dear colleague"), 415, "not_an_image")


def test_an_unsupported_format(client: TestClient) -> None:
    assert "GIF" in refusal(post(client, b"GIF89a..."), 415, "unsupported_format")["detail"]


def test_a_truncated_image(client: TestClient) -> None:
    refusal(post(client, png(size=(300, 300))[:-80]), 422, "truncated_image")


def test_too_many_pixels(client: TestClient) -> None:
    bitmap = encode(Image.new("1", (8000, 5001)), "PNG")
    problem = refusal(post(client, bitmap), 413, "too_many_pixels")
    assert (problem["width"], problem["height"]) == (8000, 5001)
    assert "`healer slide`" in problem["detail"]
    assert "HEALER_SLIDES" in problem["detail"]


def test_too_many_bytes() -> None:
    settings = Settings(max_bytes=2048, gate="off")
    with TestClient(create_app(settings, engine=FakeEngine())) as client:
        wait_until_ready(client)
        for size in (2049, 400_000):
            problem = refusal(post(client, bytes(size)), 413, "too_many_bytes")
            assert "HEALER_SLIDES" in problem["detail"]
        assert post(client, png()).status_code == 200


def test_an_unknown_path_and_method_are_problems_too(client: TestClient) -> None:
    refusal(client.get("/nowhere"), 404, "not_found")
    assert refusal(client.get("/predict"), 405, "method_not_allowed")


def two_pages() -> bytes:
    buffer = BytesIO()
    pages = [Image.new("RGB", (64, 64), colour) for colour in ("green", "red")]
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def test_a_tiff_of_two_pages_is_refused_with_what_to_do(client: TestClient) -> None:
    problem = refusal(post(client, two_pages()), 415, "unsupported_format")
    assert "a TIFF of 2 pages" in problem["detail"]
    assert "form field page" in problem["detail"]
    assert problem["pages"] == 2


@pytest.mark.parametrize(("page", "verdict"), [("1", "no"), ("2", "yes")])
def test_the_form_field_page_chooses_one(client: TestClient, page: str, verdict: str) -> None:
    files = {"image_file": ("tile.tif", two_pages())}
    answer = client.post("/predict", files=files, data={"page": page}).json()
    assert answer["verdict"] == verdict
    assert answer["tile"]["page"] == int(page)


@pytest.mark.parametrize("page", ["0", "-1", "two", "1.0", "", "9" * 30])
def test_a_page_that_is_no_number(client: TestClient, page: str) -> None:
    files = {"image_file": ("tile.tif", two_pages())}
    response = client.post("/predict", files=files, data={"page": page})
    assert "counted from 1" in refusal(response, 422, "invalid_field")["detail"]


def test_a_page_that_is_not_there(client: TestClient) -> None:
    files = {"image_file": ("tile.tif", two_pages())}
    problem = refusal(
        client.post("/predict", files=files, data={"page": "3"}), 422, "page_not_found"
    )
    assert (problem["page"], problem["pages"]) == (3, 2)
