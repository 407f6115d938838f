"""Prometheus metrics: what the queue and the engine tell, what requests came to, and the process.

A registry for each application. No label holds what a client sent: stages, codes and reasons that
are not known beforehand are counted as `other`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from healer import __version__
from healer.engines.base import Answer, EngineInfo
from healer.engines.registry import ENGINES
from healer.errors import EngineFailed, EngineHung, EngineOutOfMemory
from healer.hardware import memory_limit_bytes
from healer.quality.gate import DETAIL, FRAME, HISTOLOGY, STAIN, TISSUE
from healer.screening.calibration import Binding
from healer.screening.reference import MARGIN, Reference
from healer.screening.screener import Score, Screener
from healer.telemetry.drift import Drift, DriftGauges, EngineGauge
from healer.telemetry.request_trace import RequestTrace, known_codes, request_outcome

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 20, 30, 60, 120),
)
TILES = (1, 2, 4, 8, 16, 32, 64)
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
OTHER = "other"
OF_A_REQUEST = ("receive", "decode", "gate")  # told by its trail, the others by the observer
SCORING_STAGES = frozenset[str]().union(*(spec.stages for spec in ENGINES.values()))
REASONS = frozenset(check.code for check in (*FRAME, TISSUE, *DETAIL, HISTOLOGY, STAIN))


@dataclass(frozen=True, slots=True)
class ServiceGauges:
    """What is asked at each scrape; nothing of it may block."""

    ready: Callable[[], bool]
    in_flight: Callable[[], int]
    impaired: Callable[[], bool]
    screener: Callable[[], Screener | None]
    places: int


class Metrics:
    """An `Observer`; `find_reference` gives what drift is measured against."""

    def __init__(self, find_reference: Callable[[EngineInfo], Reference | None]) -> None:
        self.registry = CollectorRegistry()
        self._codes = known_codes()
        self._find_reference = find_reference
        self._drift: Drift | None = None
        self._binding: Binding | None = None
        self._lock = threading.Lock()
        self._of_requests()
        self._of_the_model()
        self._of_the_process()
        self.registry.register(DriftGauges(lambda: self._drift))

    def _of_requests(self) -> None:
        self._requests = self._counter(
            "requests", "HTTP requests ended.", "route", "outcome", "status", "code"
        )
        self._seconds = self._histogram(
            "stage_seconds",
            "Seconds a stage took; of a batch, each tile's share.",
            SECONDS,
            "stage",
        )
        self._refusals = self._counter(
            "gate_refusals", "Pictures that the gate refused, by each reason.", "reason"
        )
        self._warnings = self._counter(
            "gate_warnings", "Pictures answered though the gate spoke against them.", "reason"
        )

    def _of_the_model(self) -> None:
        self._depth = self._gauge("queue_depth", "Tiles that wait for the model.")
        self._batch = self._histogram("batch_tiles", "Tiles taken from the queue together.", TILES)
        self._verdicts = self._counter("verdicts", "Verdicts.", "verdict")
        self._probability = self._histogram(
            "probability", "Probability of cancer in each verdict.", SHARES
        )
        self._pieces = self._counter(
            "explanation_pieces", "Pieces of explanation written; of MedGemma, about a token each."
        )
        self._failures = self._counter("failures", "Tiles that the model did not answer.", "code")
        for answer in Answer:
            self._verdicts.labels(answer.value)
        for kind in (EngineFailed, EngineHung, EngineOutOfMemory):
            self._failures.labels(kind.code)  # from 0 on, so that the first is an increase

    def _of_the_process(self) -> None:
        ProcessCollector(registry=self.registry)
        limit = self._gauge("memory_limit_bytes", "Memory that this process may use.")
        limit.set(memory_limit_bytes())
        build = Gauge(
            "healer_build_info", "1; which version this is.", ["version"], registry=self.registry
        )
        build.labels(__version__).set(1)

    def follow(self, followed: ServiceGauges) -> None:
        """Once, when the application has been put together."""
        ready = self._gauge("ready", "1 while this process can answer.")
        ready.set_function(lambda: float(followed.ready()))
        in_flight = self._gauge("in_flight", "Requests being answered, but for probes.")
        in_flight.set_function(lambda: float(followed.in_flight()))
        impaired = self._gauge("audit_impaired", "1 while answers are missing from the audit log.")
        impaired.set_function(lambda: float(followed.impaired()))
        self._gauge("queue_places", "Tiles that may wait.").set(followed.places)
        self.registry.register(EngineGauge(followed.screener))

    def waiting(self, depth: int) -> None:
        self._depth.set(depth)

    def dequeued(self, waits: Sequence[float]) -> None:
        self._batch.observe(len(waits))
        for wait in waits:
            self._seconds.labels("queue").observe(wait)

    def scored(self, screener: Screener, score: Score) -> None:
        self._seconds.labels("score").observe(score.seconds)
        for stage in SCORING_STAGES & score.evidence.stages.keys():
            self._seconds.labels(stage).observe(score.evidence.stages[stage])
        self._verdicts.labels(score.verdict.answer.value).inc()
        self._probability.observe(score.verdict.probability)
        drift = self._drift_of(screener.info)
        if drift and score.windows is None:  # no calibration was fitted on windows of wide fields
            drift.add({MARGIN: score.evidence.margin})

    def explained(self, pieces: int, seconds: float) -> None:
        self._pieces.inc(pieces)
        self._seconds.labels("explain").observe(seconds)

    def failed(self, code: str) -> None:
        self._failures.labels(self._known(code)).inc()

    def request(self, route: str, status: int | None, trail: RequestTrace) -> None:
        """One request ended; `route` is a template, `status` None where nothing was sent."""
        told = trail.status or status
        self._requests.labels(
            route,
            request_outcome(told, trail.code),
            "none" if status is None else str(status),
            "" if trail.code is None else self._known(trail.code),
        ).inc()
        for stage in OF_A_REQUEST:
            if (seconds := trail.seconds(stage)) is not None:
                self._seconds.labels(stage).observe(seconds)
        for counter, reasons in ((self._refusals, trail.refused), (self._warnings, trail.warned)):
            for reason in REASONS & set(reasons):
                counter.labels(reason).inc()
        if trail.code is None and trail.seconds("explain") is not None:
            self._answered(trail)

    def _answered(self, trail: RequestTrace) -> None:
        self._seconds.labels("total").observe((trail.now() - trail.began) / 1e9)
        if self._drift:
            self._drift.add(trail.figures)

    def _drift_of(self, info: EngineInfo) -> Drift | None:
        """Begun anew where another model answers; copies of one model say the same of it."""
        binding = Binding.of(info)
        with self._lock:
            if binding != self._binding:
                reference = self._find_reference(info)
                self._binding, self._drift = binding, Drift(reference) if reference else None
            return self._drift

    def _known(self, code: str) -> str:
        return code if code in self._codes else OTHER

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"healer_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(f"healer_{name}", help_, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        return Histogram(f"healer_{name}", help_, labels, buckets=buckets, registry=self.registry)
