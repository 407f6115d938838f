"""Gauges that are made up only when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healer.observing.drift import Drift
from healer.screening.screener import Screener

ENGINE = ("engine", "model_id", "revision", "device", "dtype", "quantization", "calibration")


class EngineGauge(Collector):
    """What answers, in labels; absent until it is loaded."""

    def __init__(self, screener: Callable[[], Screener | None]) -> None:
        self._screener = screener

    def describe(self) -> Iterable[GaugeMetricFamily]:
        yield self._empty()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family, screener = self._empty(), self._screener()
        if screener is not None:
            calibration = screener.calibration.id if screener.calibration else ""
            told = (str(getattr(screener.info, name)) for name in ENGINE[:-1])
            family.add_metric([*told, calibration], 1)
        yield family

    def _empty(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "healer_engine_info", "1; what answers, once it is loaded.", labels=ENGINE
        )


class DriftGauges(Collector):
    """Absent where there is no reference, and each distance until there are enough answers."""

    def __init__(self, drift: Callable[[], Drift | None]) -> None:
        self._drift = drift

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return self._empty()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        psi, ks, answers = families = self._empty()
        drift = self._drift()
        for shift in drift.shifts() if drift else ():
            answers.add_metric([shift.figure], shift.answers)
            if shift.psi is not None and shift.ks is not None:
                psi.add_metric([shift.figure], shift.psi)
                ks.add_metric([shift.figure], shift.ks)
        return families

    def _empty(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        told = {
            "psi": "Population stability index of the last answers against the calibration's.",
            "ks": "Kolmogorov-Smirnov distance of the same, at the bins' edges.",
            "answers": "Answers that drift is computed from.",
        }
        psi, ks, answers = (
            GaugeMetricFamily(f"healer_drift_{name}", help_, labels=["figure"])
            for name, help_ in told.items()
        )
        return psi, ks, answers
