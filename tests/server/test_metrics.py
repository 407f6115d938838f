from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from healer.auth.keys import add_key
from healer.main import create_app
from healer.server.service import Service
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import live, png
from tests.telemetry.scraped import FailingOnBlack

OPEN = "application/openmetrics-text; version=1.0.0"
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def failing() -> Iterator[str]:
    with live(create_app(Settings(_env_file=None, gate="off"), engine=FailingOnBlack())) as url:
        yield url


def requests(url: str) -> dict[tuple[str, ...], float]:
    """(route, outcome, status, code) to how many."""
    text = httpx.get(f"{url}/metrics").text
    labels = ("route", "outcome", "status", "code")
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "healer_requests_total"
    }


def test_it_is_prometheus_text(client: TestClient) -> None:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"healer_requests", "healer_stage_seconds", "healer_queue_depth"} <= names


def test_it_is_openmetrics_where_that_is_requested(client: TestClient) -> None:
    response = client.get("/metrics", headers={"Accept": OPEN})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    families = open_metrics(response.text)  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    assert {"healer_requests", "healer_stage_seconds", "healer_queue_depth"} <= names
    assert response.text.endswith("# EOF\n")


def test_a_failure_sent_as_an_event_is_counted_as_one(failing: str) -> None:
    sent = {"image_file": png("black")}
    assert httpx.post(f"{failing}/predict", files=sent, headers=EVENTS).status_code == 200
    assert httpx.post(f"{failing}/predict", files=sent).status_code == 500
    assert httpx.post(f"{failing}/predict", files={"image_file": png()}).status_code == 200
    found = requests(failing)
    assert found["/predict", "failed", "200", "engine_failed"] == 1
    assert found["/predict", "failed", "500", "engine_failed"] == 1
    assert found["/predict", "ok", "200", ""] == 1


def test_a_client_that_goes_away_is_counted_as_gone(failing: str) -> None:
    """Over a socket of its own: half a form, and then nothing."""
    at = urlsplit(failing)
    head = (
        "POST /predict HTTP/1.1\r\nHost: healer\r\nContent-Length: 1000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    with socket.create_connection((at.hostname, at.port)) as connection:
        connection.sendall(head.encode())
        time.sleep(0.05)
    for _ in range(500):
        gone = [key for key in requests(failing) if key[:2] == ("/predict", "gone")]
        if gone:
            break
        time.sleep(0.01)
    assert [key[3] for key in gone] == ["client_gone"]


def test_a_draining_service_still_serves_metrics(client: TestClient) -> None:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    service.begin_shutdown()
    assert client.post("/predict", files={"image_file": png()}).status_code == 503
    response = client.get("/metrics")
    assert response.status_code == 200
    assert "healer_ready 0.0" in response.text
    assert 'code="shutting_down"' in response.text


def test_where_callers_need_a_key_so_does_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "prometheus", None)
    settings = Settings(_env_file=None, api_keys_file=file)
    with TestClient(create_app(settings, engine=FakeEngine())) as client:
        assert client.get("/metrics").status_code == 401
        response = client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert (
        'code="credentials_missing",outcome="refused",route="unknown",status="401"' in response.text
    )


def test_it_is_no_part_of_the_contract(client: TestClient) -> None:
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]
