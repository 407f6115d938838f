from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

pytest.importorskip("sqlalchemy", reason="needs healer[audit]")

from healer.audit.chain import verify
from healer.audit.store import Store
from healer.main import create_app
from healer.settings.loading import Settings
from tests.conftest import REPO
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

EVENTS = {"Accept": "text/event-stream"}


@contextmanager
def served(audit: str, **settings: object) -> Iterator[TestClient]:
    chosen = Settings.model_validate({"audit": audit, "gate": "off", **settings})
    with TestClient(create_app(chosen, engine=FakeEngine())) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture
def audit(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/audit.db"


@pytest.fixture
def client(audit: str) -> Iterator[TestClient]:
    with served(audit) as client:
        yield client


def records(audit: str) -> list[dict[str, Any]]:
    with closing(Store(audit)) as store:
        links = list(store.links())
    verify(links)
    return [link.content for link in links]


def predict(client: TestClient, **headers: str) -> httpx.Response:
    sent = {"image_file": ("Doe_Jane_1970.png", png())}
    response: httpx.Response = client.post("/predict", files=sent, headers=headers)
    return response


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = re.findall(r"event: (\w+)\r\ndata: (.*)\r\n", text)
    return [(name, json.loads(data)) for name, data in found]


def test_the_log_holds_the_answer_that_was_sent(client: TestClient, audit: str) -> None:
    answer = predict(client, **{"X-Request-ID": "r1"}).json()
    (record,) = records(audit)
    assert answer["recorded"] is True
    assert (record["request_id"], record["caller"]) == ("r1", None)
    assert record["file_sha256"] == hashlib.sha256(png()).hexdigest()
    assert (
        record["pixels_sha256"]
        == hashlib.sha256(b"64x64\n" + b"\xff\xc0\xcb" * 64 * 64).hexdigest()
    )
    for name in ("verdict", "probability"):
        assert record[name] == answer[name]
    for name in ("engine", "revision", "device", "dtype", "quantization", "adapter", "calibration"):
        assert record[name] == answer["model"][name]
    assert record["model_id"] == answer["model"]["id"]
    assert (record["gate"], record["gate_reasons"]) == ("off", [])


def test_neither_name_nor_pixels_reach_the_log(client: TestClient, audit: str) -> None:
    predict(client)
    files = Path(audit.removeprefix("sqlite:///")).parent.glob("audit.db*")
    written = b"".join(path.read_bytes() for path in files)
    assert hashlib.sha256(png()).hexdigest().encode() in written
    assert b"Doe" not in written
    assert png()[:20] not in written


def test_the_gates_outcome_is_recorded(client: TestClient, audit: str) -> None:
    form = {"gate": "warn"}
    answer = client.post("/predict", files={"image_file": png()}, data=form).json()
    (record,) = records(audit)
    assert record["gate"] == "warned"
    assert record["gate_reasons"] == [reason["code"] for reason in answer["gate"]["warnings"]]


def test_what_is_refused_is_no_answer(client: TestClient, audit: str) -> None:
    assert client.post("/predict", files={"image_file": b"no picture"}).status_code == 415
    assert records(audit) == []


def test_a_streamed_verdict_is_recorded_once(client: TestClient, audit: str) -> None:
    response = events(predict(client, **EVENTS).text)
    assert [response[0][0], response[-1][0]] == ["verdict", "answer"]
    assert response[0][1]["recorded"] is response[-1][1]["recorded"] is True
    assert [record["verdict"] for record in records(audit)] == [response[0][1]["verdict"]]


def test_while_the_log_is_down_nothing_is_answered(tmp_path: Path) -> None:
    with served(f"sqlite:///{tmp_path}/none/audit.db") as client:
        refused = predict(client)
        assert (refused.status_code, refused.json()["code"]) == (503, "audit_unavailable")
        assert refused.headers["retry-after"] == "5"
        ((name, problem),) = events(predict(client, **EVENTS).text)
        assert (name, problem["code"]) == ("problem", "audit_unavailable")
        assert "cannot be written" in client.get("/health").json()["warnings"][0]


def test_degraded_it_answers_and_says_that_nothing_was_recorded(tmp_path: Path) -> None:
    audit = f"sqlite:///{tmp_path}/none/audit.db"
    with served(audit, audit_failure="degrade") as client:
        assert predict(client).json()["recorded"] is False
        response = events(predict(client, **EVENTS).text)
        assert response[0][1]["recorded"] is response[-1][1]["recorded"] is False
        assert "2 answers since" in client.get("/health").json()["warnings"][1]


def test_without_a_log_an_answer_says_nothing_of_one() -> None:
    with TestClient(create_app(Settings(gate="off"), engine=FakeEngine())) as client:
        wait_until_ready(client)
        assert predict(client).json()["recorded"] is None
        refused = client.post("/reviews", json={"request_id": "r1", "agrees": True})
        assert (refused.status_code, refused.json()["code"]) == (404, "audit_off")


def test_a_review_stands_beside_its_answer(client: TestClient, audit: str) -> None:
    predict(client, **{"X-Request-ID": "r1"})
    for agrees in (True, False):
        sent = {"request_id": "r1", "agrees": agrees, "note": "mucosa"}
        response = client.post("/reviews", json=sent)
        assert response.status_code == 201
    _, first, second = records(audit)
    assert (first["agrees"], second["agrees"], second["note"]) == (True, False, "mucosa")
    with closing(Store(audit)) as store:
        assert response.json() == {"request_id": "r1", "record": list(store.links())[-1].hash}


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": {"request_id": "other", "agrees": True}}, 404, "answer_unknown"),
        ({"json": {"request_id": "r1"}}, 422, "review_unreadable"),
        ({"json": {"request_id": "r1", "agrees": "secret"}}, 422, "review_unreadable"),
        ({"json": {"request_id": "r1", "agrees": True, "secret": 1}}, 422, "review_unreadable"),
        ({"json": {"request_id": "r1", "agrees": True, "note": "secret" * 99}}, 422, ""),
        ({"json": ["secret"]}, 422, "review_unreadable"),
        ({"content": b"secret", "headers": {"Content-Type": "text/plain"}}, 422, ""),
        ({"content": b"{secret", "headers": {"Content-Type": "application/json"}}, 422, ""),
        ({"content": b" " * 20_000}, 413, "too_many_bytes"),
    ],
)
def test_a_review_that_cannot_be_recorded_is_refused_without_an_echo(
    client: TestClient, sent: dict[str, Any], status: int, code: str
) -> None:
    predict(client, **{"X-Request-ID": "r1"})
    refused = client.post("/reviews", **sent)
    assert refused.status_code == status
    assert refused.json()["code"] == (code or "review_unreadable")
    assert "secret" not in refused.text


def test_every_answer_that_a_client_got_survives_the_services_death(
    audit: str, tmp_path: Path
) -> None:
    """SIGKILL with requests in flight, over real sockets."""
    environment = {**os.environ, "HEALER_AUDIT": audit}
    command = [sys.executable, "-m", "tests.server.audited_server"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stderr=log, cwd=REPO, env=environment) as server,
    ):
        url = where(server, tmp_path / "log")
        got: list[str] = []
        clients = [threading.Thread(target=post_tile, args=(url, got)) for _ in range(3)]
        for each in clients:
            each.start()
        while len(got) < 15 and server.poll() is None:
            time.sleep(0.005)
        server.send_signal(signal.SIGKILL)
        for each in clients:
            each.join()
    assert len(got) >= 15
    assert set(got) <= {record["request_id"] for record in records(audit)}


def where(server: subprocess.Popen[bytes], log: Path) -> str:
    while server.poll() is None:
        if found := re.search(r"http://[\d.]+:\d+", log.read_text(encoding="utf-8")):
            return found.group()
    raise AssertionError(log.read_text(encoding="utf-8"))


def post_tile(url: str, got: list[str]) -> None:
    """Until the service is gone, keeping the name of every answer that arrived."""
    with httpx.Client(base_url=url) as client:
        for _ in range(2000):
            try:
                answer = client.post("/predict", files={"image_file": png()})
            except httpx.TransportError:
                if got:
                    return
                continue
            if answer.status_code == 200:
                got.append(answer.json()["request_id"])
