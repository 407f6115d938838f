from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from healer.engines.base import Answer, EngineInfo, Evidence
from healer.screening.calibration import MARGIN, Reference
from healer.screening.opening import choose_engine, find_reference, open_screener
from healer.screening.screener import Score, Screener
from healer.screening.verdict import Verdict
from healer.settings.loading import Settings
from healer.telemetry.drift import LEAST
from healer.telemetry.metrics import Metrics
from healer.telemetry.observation import Observer, RequestTrace, request_outcome
from tests.fake_engine import FakeEngine
from tests.telemetry.scraped import SECRET, reference, scraped

SCREENER = Screener(FakeEngine())


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda _: None)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"healer_{name}", labels)


def samples(text: str) -> list[Sample]:
    return [one for family in text_string_to_metric_families(text) for one in family.samples]


def score(margin: float = 2.0, **stages: float) -> Score:
    return Score(Evidence(margin, stages=stages), Verdict(Answer.YES, 0.88), 0.02)


def test_it_observes(metrics: Metrics) -> None:
    observer: Observer = metrics
    observer.queue_depth(3)
    observer.dequeued([0.5, 1.5])
    observer.scored(SCREENER, score(infer=0.01))
    observer.explained(7, 0.2)
    observer.failed("engine_hung")
    found = metrics.registry
    assert value(found, "queue_depth") == 3
    assert value(found, "batch_tiles_sum") == 2
    assert value(found, "stage_seconds_sum", stage="queue") == 2
    assert value(found, "stage_seconds_sum", stage="score") == 0.02
    assert value(found, "stage_seconds_sum", stage="infer") == 0.01
    assert value(found, "stage_seconds_sum", stage="explain") == 0.2
    assert value(found, "verdicts_total", verdict="yes") == 1
    assert value(found, "verdicts_total", verdict="no") == 0
    assert value(found, "probability_bucket", le="0.9") == 1
    assert value(found, "probability_bucket", le="0.8") == 0
    assert value(found, "explanation_pieces_total") == 7
    assert value(found, "failures_total", code="engine_hung") == 1


def test_what_is_not_known_beforehand_never_becomes_a_label(metrics: Metrics) -> None:
    for number in range(50):
        metrics.failed(f"{SECRET}{number}")
        metrics.scored(SCREENER, score(**{f"{SECRET}{number}": 0.1}))
        trace = RequestTrace()
        trace.failed(f"{SECRET}{number}", 400)
        trace.refused = trace.warned = [f"{SECRET}{number}"]
        metrics.request("/predict", 400, trace)
    assert value(metrics.registry, "failures_total", code="other") == 50
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    assert not [sample for sample in samples if SECRET in str(sample.labels)]
    assert len(samples) < 120


def test_every_thread_counts(metrics: Metrics) -> None:
    def work() -> None:
        for _ in range(500):
            metrics.scored(SCREENER, score())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert value(metrics.registry, "verdicts_total", verdict="yes") == 2000


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, None, "ok"),
        (429, "queue_full", "refused"),
        (503, "model_not_ready", "failed"),
        (None, None, "gone"),
        (200, "client_gone", "gone"),
    ],
)
def test_how_a_request_ended(status: int | None, code: str | None, expected: str) -> None:
    assert request_outcome(status, code) == expected


def test_applications_do_not_share_a_registry() -> None:
    one, other = Metrics(lambda _: None), Metrics(lambda _: None)
    one.explained(5, 1.0)
    assert value(other.registry, "explanation_pieces_total") == 0


def test_a_real_scrape_holds_nothing_that_a_client_sent(scrape: str) -> None:
    assert SECRET not in scrape
    assert all(math.isfinite(sample.value) for sample in samples(scrape))


def test_a_real_scrape_shows_what_happened(scrape: str) -> None:
    found = {(s.name, *sorted(s.labels.values())): s.value for s in samples(scrape)}
    assert found["healer_requests_total", "", "/predict", "200", "ok"] == 200
    assert found["healer_requests_total", "/predict", "415", "not_an_image", "refused"] == 1
    assert found["healer_requests_total", "404", "not_found", "refused", "unknown"] == 1
    assert found["healer_gate_refusals_total", "no_tissue"] == 1
    assert found["healer_gate_warnings_total", "no_tissue"] == 201
    assert found["healer_failures_total", "engine_failed"] == 1
    assert found["healer_stage_seconds_count", "total"] == 200
    assert found["healer_ready",] == 1
    assert found["process_resident_memory_bytes",] > 1e7
    assert found["healer_memory_limit_bytes",] > found["process_resident_memory_bytes",]


def test_many_requests_make_no_more_series_than_few(scrape: str, tmp_path: Path) -> None:
    def names(text: str) -> set[tuple[str, str]]:
        """Without those of `/ready`, which may have to be asked again until the model is."""
        found = (s for s in samples(text) if "/ready" not in s.labels.values())
        return {(s.name, str(sorted(s.labels.items()))) for s in found}

    few = names(scraped(tmp_path, answers=1))
    assert {name for name, _ in names(scrape) - few} == {"healer_drift_psi", "healer_drift_ks"}


@pytest.fixture(scope="module")
def copies() -> Iterator[list[Screener]]:
    """Two of the model that is served, each loaded by itself, as replicas are."""
    settings = Settings(engine="builtin", _env_file=None)
    opened = [open_screener(choose_engine(settings), settings) for _ in range(2)]
    yield opened
    for each in opened:
        each.engine.close()


def margins_seen(metrics: Metrics) -> int:
    """How many answers the window of margins holds."""
    drift = metrics._drift
    assert drift is not None
    (seen,) = (shift.answers for shift in drift.shifts() if shift.figure == MARGIN)
    return seen


def test_replicas_that_answer_in_turn_fill_one_window(copies: list[Screener]) -> None:
    one, other = (screener.info for screener in copies)
    assert one == other
    assert one is not other
    requested: list[EngineInfo] = []
    settings = Settings(engine="builtin", _env_file=None)

    def find(info: EngineInfo) -> Reference | None:
        requested.append(info)
        return find_reference(settings, info)

    metrics = Metrics(find)
    for number in range(LEAST):
        metrics.scored(copies[number % 2], score())
    assert margins_seen(metrics) == LEAST
    assert requested == [one]
    psi = value(metrics.registry, "drift_psi", figure=MARGIN)
    assert psi is not None
    assert psi > 1  # they all said the same


def test_where_it_runs_and_what_it_warns_of_make_no_other_model() -> None:
    def screener(**more: Any) -> Screener:  # noqa: ANN401
        engine = FakeEngine()
        engine.info = replace(FakeEngine.info, **more)
        return Screener(engine)

    metrics = Metrics(lambda _: reference())
    for each in (screener(device="cuda:0"), screener(device="cuda:1", warnings=("slow",))):
        metrics.scored(each, score())
    assert margins_seen(metrics) == 2
    metrics.scored(screener(revision="another"), score())
    assert margins_seen(metrics) == 1


def test_drift_is_measured_from_the_moment_a_model_is_ready() -> None:
    metrics = Metrics(lambda _: reference())
    metrics.ready(SCREENER)
    assert value(metrics.registry, "drift_answers", figure=MARGIN) == 0
