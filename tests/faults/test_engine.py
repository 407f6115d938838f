"""The model"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from healer.engines.base import Answer, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.scheduling import worker
from healer.scheduling.worker import MAX_FAILURES, RETRY_SECONDS
from tests.fake_engine import FakeEngine
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import STREAM, Gated, predict, service, settings, until
from tests.server.conftest import wait_until_ready
from tests.server.test_events import events_of


class Frail(FakeEngine):
    """Answers until `score_error` or `explain_error` is set."""

    def __init__(self) -> None:
        self.score_error: BaseException | None = None
        self.explain_error: BaseException | None = None
        self.margin: float | None = None

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if self.score_error is not None:
            raise self.score_error
        seen = super().score(tiles)
        return [self._spoilt(each) for each in seen]

    def _spoilt(self, seen: Evidence) -> Evidence:
        return seen if self.margin is None else replace(seen, margin=self.margin)

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        first, *rest = super().explain(evidence, answer)
        yield first
        if self.explain_error is not None:
            raise self.explain_error
        yield from rest


@shows(
    Fault(
        "The model fails on an image",
        "the engine raises",
        status=500,
        code="engine_failed",
        recovery="nothing needs to; the next image is answered",
        also="Others in the same batch are answered.",
    )
)
def test_the_engine_raises(shown: Shown) -> None:
    engine = Frail()
    with service(engine) as client:
        engine.score_error = RuntimeError("of its own")
        shown.client(predict(client))
        shown.probes(client.get)
        engine.score_error = None
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model fails while it writes",
        "the engine raises between two words",
        status=500,
        code="engine_failed",
        recovery="nothing needs to; the next image is answered",
        also="A streaming client has the verdict by then, and gets `problem` instead of `answer`.",
    )
)
def test_the_engine_raises_in_mid_sentence(shown: Shown) -> None:
    engine = Frail()
    with service(engine) as client:
        engine.explain_error = RuntimeError("of its own")
        shown.client(predict(client))
        events = events_of(predict(client, **STREAM).text)
        assert [name for name, _ in events] == ["verdict", "explanation", "problem"]
        assert events[-1][1]["code"] == "engine_failed"
        shown.probes(client.get)
        engine.explain_error = None
        shown.recovered(predict(client))


class Panic(BaseException):
    """As a panic in a library written in Rust reaches Python."""


@shows(
    Fault(
        "A library panics",
        "the engine raises what is no `Exception`",
        status=500,
        code="engine_failed",
        recovery="nothing needs to; the next image is answered",
    )
)
def test_the_engine_panics(shown: Shown) -> None:
    engine = Frail()
    with service(engine) as client:
        engine.score_error = Panic()
        shown.client(predict(client))
        engine.score_error, engine.explain_error = None, SystemExit(1)
        shown.client(predict(client))
        shown.probes(client.get)
        engine.explain_error = None
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model fails again and again",
        f"the engine raises {MAX_FAILURES} times in a row, and at its self-test",
        status=503,
        code="model_not_ready",
        retry_after=5,
        not_ready="The model failed",
        health="The model failed",
        recovery=f"the self-test, tried every {RETRY_SECONDS:g} s, once it passes",
    )
)
def test_the_engine_raises_again_and_again(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    engine = Frail()
    with service(engine) as client:
        engine.score_error = RuntimeError("of its own")
        for _ in range(MAX_FAILURES):
            assert predict(client).json()["code"] == "engine_failed"
        until(lambda: client.get("/ready").status_code == 503)
        shown.client(predict(client))
        shown.probes(client.get)
        engine.score_error = None
        wait_until_ready(client)
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model's score is not a number",
        "the engine gives NaN, then infinity",
        status=500,
        code="model_unsound",
        recovery="nothing needs to, for one image; where it goes on, the self-test, as above",
        also="No verdict is made of it.",
    )
)
@pytest.mark.parametrize("margin", [float("nan"), float("inf")])
def test_the_score_is_not_a_number(shown: Shown, margin: float) -> None:
    engine = Frail()
    with service(engine) as client:
        engine.margin = margin
        shown.client(predict(client))
        assert [name for name, _ in events_of(predict(client, **STREAM).text)] == ["problem"]
        shown.probes(client.get)
        engine.margin = None
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model runs out of memory on an image",
        "the engine raises `MemoryError`, or says what torch and OpenVINO say",
        status=500,
        code="engine_out_of_memory",
        recovery="nothing needs to; the next image is answered",
    )
)
@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("Exception from src/core: std::bad_alloc"),
    ],
)
def test_the_engine_is_out_of_memory(shown: Shown, failure: Exception) -> None:
    engine = Frail()
    with service(engine) as client:
        engine.score_error = failure
        shown.client(predict(client))
        shown.probes(client.get)
        engine.score_error = None
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model never finishes its first answer",
        "the engine hangs at its self-test",
        status=503,
        code="model_not_ready",
        retry_after=5,
        not_ready="the model is loading",
        health="the model is loading",
        recovery="a restart by the startup probe on `/ready` (Cloud Run, Kubernetes); with Docker "
        "alone, by hand",
    )
)
def test_the_engine_hangs_at_the_start(shown: Shown) -> None:
    engine = Gated()
    with TestClient(create_app(settings(), engine=engine)) as client:
        until(engine.begun.is_set)
        shown.client(predict(client))
        shown.probes(client.get)
        engine.gate.set()
        wait_until_ready(client)
        shown.recovered(predict(client))


@shows(
    Fault(
        "The model does not answer in time",
        "the engine is slower than `X-Request-Timeout`",
        status=504,
        code="deadline_exceeded",
        retry_after=5,
        recovery="nothing needs to; the work is stopped, the next image is answered",
    )
)
def test_the_engine_is_too_slow(shown: Shown) -> None:
    engine = Gated()
    engine.gate.set()
    with service(engine) as client:
        engine.gate.clear()
        shown.client(predict(client, **{"X-Request-Timeout": "0.05"}))
        shown.probes(client.get)
        engine.gate.set()
        shown.recovered(predict(client))
