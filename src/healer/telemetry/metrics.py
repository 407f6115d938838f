"""Prometheus metrics of the queue, the engine, requests and the process.

One registry per application. No label holds what a client sent: stages, codes and reasons that
are not known beforehand are counted as `other`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from healer import __version__
from healer.engines.base import Answer, EngineInfo
from healer.engines.registry import ENGINES
from healer.errors.engine import EngineFailed, EngineHung, EngineOutOfMemory
from healer.hardware import memory_limit_bytes
from healer.quality.gate import DETAIL, FRAME, HISTOLOGY, STAIN, TISSUE
from healer.screening.calibration import MARGIN, Binding, Reference
from healer.screening.screener import Score, Screener
from healer.telemetry.drift import Drift, DriftGauges
from healer.telemetry.observation import Observer, RequestTrace, known_codes, request_outcome

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 20, 30, 60, 120),
)
TILES = (1, 2, 4, 8, 16, 32, 64)
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
OTHER = "other"
# From a RequestTrace; the other stages come as Observer events.
REQUEST_STAGES = ("receive", "decode", "gate")
SCORING_STAGES = frozenset[str]().union(*(spec.stages for spec in ENGINES.values()))
REASONS = frozenset(check.code for check in (*FRAME, TISSUE, *DETAIL, HISTOLOGY, STAIN))


ENGINE_LABELS = ("engine", "model_id", "revision", "device", "dtype", "quantization", "calibration")


class EngineGauge(Collector):
    """The loaded engine, in labels; absent until there is one."""

    def __init__(self, screener: Callable[[], Screener | None]) -> None:
        self._screener = screener

    def describe(self) -> Iterable[GaugeMetricFamily]:
        yield self._empty()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family, screener = self._empty(), self._screener()
        if screener is not None:
            calibration = screener.calibration.id if screener.calibration else ""
            labels = (str(getattr(screener.info, name)) for name in ENGINE_LABELS[:-1])
            family.add_metric([*labels, calibration], 1)
        yield family

    def _empty(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "healer_engine_info", "1; the engine in its labels is loaded.", labels=ENGINE_LABELS
        )


@dataclass(frozen=True, slots=True)
class ServiceGauges:
    """Read at each scrape; none may block."""

    ready: Callable[[], bool]
    in_flight: Callable[[], int]
    impaired: Callable[[], bool]
    screener: Callable[[], Screener | None]
    places: int


class Metrics(Observer):
    """`find_reference` gives what drift is measured against."""

    def __init__(self, find_reference: Callable[[EngineInfo], Reference | None]) -> None:
        self.registry = CollectorRegistry()
        self._codes = known_codes()
        self._find_reference = find_reference
        self._drift: Drift | None = None
        self._binding: Binding | None = None
        self._lock = threading.Lock()
        self._define_request_metrics()
        self._define_model_metrics()
        self._define_process_metrics()
        self.registry.register(DriftGauges(lambda: self._drift))

    def _define_request_metrics(self) -> None:
        self._requests = self._counter(
            "requests", "HTTP requests completed.", "route", "outcome", "status", "code"
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
            "gate_warnings", "Pictures answered against the gate's advice.", "reason"
        )

    def _define_model_metrics(self) -> None:
        self._depth = self._gauge("queue_depth", "Tiles waiting for the model.")
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

    def _define_process_metrics(self) -> None:
        ProcessCollector(registry=self.registry)
        limit = self._gauge("memory_limit_bytes", "Memory that this process may use.")
        limit.set(memory_limit_bytes())
        build = Gauge(
            "healer_build_info", "1; the version that runs.", ["version"], registry=self.registry
        )
        build.labels(__version__).set(1)

    def watch_service(self, service: ServiceGauges) -> None:
        """Call once, when the application is complete."""
        ready = self._gauge("ready", "1 while this process can answer.")
        ready.set_function(lambda: float(service.ready()))
        in_flight = self._gauge("in_flight", "Requests being answered, but for probes.")
        in_flight.set_function(lambda: float(service.in_flight()))
        impaired = self._gauge("audit_impaired", "1 while answers are missing from the audit log.")
        impaired.set_function(lambda: float(service.impaired()))
        self._gauge("queue_places", "Tiles that may wait.").set(service.places)
        self.registry.register(EngineGauge(service.screener))

    def queue_depth(self, depth: int) -> None:
        self._depth.set(depth)

    def dequeued(self, waits: Sequence[float]) -> None:
        self._batch.observe(len(waits))
        for wait in waits:
            self._seconds.labels("queue").observe(wait)

    def ready(self, screener: Screener) -> None:
        self._drift_of(screener.info)  # its reference is a file, which no answer should wait for

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

    def counter(
        self, route: str, status: int | None, trace: RequestTrace
    ) -> Callable[[float], None]:
        """Counts so many more requests such as this, without their stages."""
        final_status = trace.status or status
        series = self._requests.labels(
            route,
            request_outcome(final_status, trace.code),
            "none" if status is None else str(status),
            "" if trace.code is None else self._known(trace.code),
        )
        return series.inc

    def request(self, route: str, status: int | None, trace: RequestTrace) -> None:
        """One request completed; `route` is a template, `status` None where nothing was sent."""
        self.counter(route, status, trace)(1)
        for stage in REQUEST_STAGES:
            if (seconds := trace.seconds(stage)) is not None:
                self._seconds.labels(stage).observe(seconds)
        for counter, reasons in ((self._refusals, trace.refused), (self._warnings, trace.warned)):
            for reason in REASONS & set(reasons):
                counter.labels(reason).inc()
        if trace.code is None and trace.seconds("explain") is not None:
            self._answered(trace)

    def _answered(self, trace: RequestTrace) -> None:
        self._seconds.labels("total").observe((trace.now() - trace.started) / 1e9)
        if self._drift:
            self._drift.add(trace.figures)

    def _drift_of(self, info: EngineInfo) -> Drift | None:
        """Restarted when the model changes; copies of one model share it."""
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
