from __future__ import annotations

import json
from pathlib import Path

from starlette.testclient import TestClient

from healer import NOTICE, __version__
from tests.conftest import REPO
from tests.server.openapi import render


def test_health_says_what_answers_and_why(client: TestClient) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["ready"] is True
    assert health["reason"] is None
    assert health["version"] == __version__
    assert health["engine"] == "fake"
    assert health["engine_reason"] == "it was passed to create_app"
    assert health["model"]["revision"] == "0"
    assert health["uptime_seconds"] >= 0
    assert health["limits"] == {
        "max_bytes": 20_971_520,
        "max_pixels": 40_000_000,
        "formats": ["PNG", "JPEG", "TIFF", "WEBP", "BMP"],
    }
    assert health["notice"] == NOTICE


def test_a_browser_gets_a_page_that_requests_nothing_from_other_hosts(client: TestClient) -> None:
    response = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'self'" in response.headers["content-security-policy"]


def test_a_script_gets_json(client: TestClient) -> None:
    welcome = client.get("/", headers={"Accept": "application/json"}).json()
    assert welcome["name"] == "Healer"
    assert "/predict" in welcome["predict"]


def test_the_checked_in_openapi_document_is_current() -> None:
    checked_in = Path(REPO / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert checked_in == render(), "run `make generate`"


def test_every_refusal_is_documented_with_its_code() -> None:
    responses = json.loads(render())["paths"]["/predict"]["post"]["responses"]
    codes = {
        code
        for response in responses.values()
        for media in response["content"].values()
        for code in media.get("examples", {})
    }
    assert {"empty_file", "missing_field", "not_an_image", "truncated_image"} <= codes
    assert {"too_many_bytes", "too_many_pixels", "model_not_ready"} <= codes
