"""The process"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from healer.audit.chain import verify
from healer.audit.store import Store
from healer.server.uvicorn_server import GRACE_SECONDS, HUNG
from tests.conftest import REPO
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import STREAM, Gated, predict, service, until
from tests.faults.supervised import Supervised, supervised
from tests.server.conftest import png

WAITING = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    folder = tmp_path_factory.mktemp("server")
    with supervised(folder, HEALER_AUDIT=f"sqlite:///{folder}/audit.db") as server:
        yield server


def asked_by(server: Supervised, clients: int, pool: ThreadPoolExecutor) -> list[Any]:
    """As many requests, one of them before the model and the others in the queue."""
    server.hold()
    answers = [pool.submit(server.predict) for _ in range(clients)]
    until(lambda: server.waiting() == clients - 1)
    return answers


@shows(
    Fault(
        "The model hangs",
        "the engine is silent for HEALER_HANG_SECONDS; the log's disk is full, too",
        status=503,
        code="engine_hung",
        retry_after=5,
        not_ready="The model has been silent",
        health="The model has been silent",
        dead=True,
        recovery=f"a restart: `healer serve` ends by itself, with exit code {HUNG}; with another "
        "server, the liveness probe on `/health`",
        also="Every waiting request is answered with 503 before it ends.",
    )
)
def test_the_engine_hangs(shown: Shown, hasty: Supervised) -> None:
    engine = Gated()
    engine.gate.set()
    with service(engine, hang_seconds=0.1) as client:
        engine.gate.clear()
        shown.client(predict(client))
        assert predict(client).json()["code"] == "model_not_ready"
        client.app.state.service.begin_shutdown()  # type: ignore[attr-defined]
        shown.probes(client.get)
        engine.gate.set()
    with ThreadPoolExecutor(3) as pool:
        for answer in asked_by(hasty, 3, pool):
            shown.client(answer.result())
    assert hasty.ended() == HUNG
    hasty.go_on()
    until(hasty.is_ready)
    shown.recovered(hasty.predict())


@shows(
    Fault(
        "It is stopped",
        f"SIGTERM with one image before the model and {WAITING - 1} in the queue",
        status=503,
        code="shutting_down",
        retry_after=5,
        not_ready="Healer is shutting down",
        health="Healer is shutting down",
        recovery="the next instance, which `Connection: close` leads to",
        also="This is what new requests see; those in flight are all answered.",
    )
)
def test_sigterm_with_requests_in_flight(shown: Shown, server: Supervised) -> None:
    with ThreadPoolExecutor(WAITING) as pool:
        answers = asked_by(server, WAITING, pool)
        os.kill(server.pid, signal.SIGTERM)
        until(server.is_unready)
        shown.client(server.predict())
        shown.probes(server.get)
        server.go_on()
        assert [answer.result().status_code for answer in answers] == [200] * WAITING
    assert server.ended() == -signal.SIGTERM
    until(server.is_ready)
    shown.recovered(server.predict())


@shows(
    Fault(
        "It is stopped, and the model is slower than its grace",
        f"SIGTERM, and a model that is not done {GRACE_SECONDS} s later (2 s in the test)",
        status=503,
        code="shutting_down",
        retry_after=5,
        not_ready="Healer is shutting down",
        health="Healer is shutting down",
        recovery="the next instance",
        also="Every request in flight is answered; the process ends although its model does not.",
    )
)
def test_sigterm_with_more_than_can_be_answered(shown: Shown, hasty: Supervised) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = asked_by(hasty, 3, pool)
        os.kill(hasty.pid, signal.SIGTERM)
        until(hasty.is_unready)
        shown.probes(hasty.get)
        for answer in answers:
            shown.client(answer.result())
    assert hasty.ended() == 0
    hasty.go_on()
    until(hasty.is_ready)
    shown.recovered(hasty.predict())


@shows(
    Fault(
        "It is killed",
        "SIGKILL, as by the kernel when memory runs out, between a verdict and its explanation",
        status=None,
        gone=True,
        recovery="a restart by the platform",
        also="What a client received is in the audit log, and the log is whole.",
    )
)
def test_sigkill_with_a_request_in_flight(shown: Shown, server: Supervised) -> None:
    answered = [server.predict().json()["request_id"]]
    server.mute()
    server.may_restart.clear()
    answer = verdicts(server)
    answered.append(next(answer)["request_id"])
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(httpx.TransportError) as lost:
        next(answer)
    shown.client_lost(lost.value)
    assert server.ended() == -signal.SIGKILL
    shown.nobody_answers(server.get)
    server.unmute()
    server.may_restart.set()
    until(server.is_ready)
    shown.recovered(server.predict())
    with closing(Store(f"sqlite:///{server.folder}/audit.db")) as store:
        links = list(store.links())
    verify(links)
    assert set(answered) <= {link.content["request_id"] for link in links}


def verdicts(server: Supervised) -> Iterator[dict[str, Any]]:
    """Of one question, as its answer is streamed."""
    sent = {"image_file": png()}
    with server.http.stream("POST", "/predict", files=sent, headers=STREAM) as streamed:
        lines = streamed.iter_lines()
        for line in lines:
            if line == "event: verdict":
                yield json.loads(next(lines).removeprefix("data: "))


def test_whatever_runs_it_starts_it_again() -> None:
    """By the manifests that come with it."""
    compose = yaml.safe_load((REPO / "compose.yaml").read_text(encoding="utf-8"))
    assert {each["restart"] for each in compose["services"].values()} == {"unless-stopped"}
    run = yaml.safe_load((REPO / "deploy" / "service.yaml").read_text(encoding="utf-8"))
    manifests = (REPO / "deploy" / "kubernetes" / "healer.yaml").read_text(encoding="utf-8")
    pods = [each["spec"] for each in yaml.safe_load_all(manifests) if each["kind"] == "Deployment"]
    for pod in [run["spec"], *pods]:
        spec = pod["template"]["spec"]
        assert spec.get("restartPolicy", "Always") == "Always"
        (container,) = spec["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/health"
        assert container["startupProbe"]["httpGet"]["path"] == "/ready"
