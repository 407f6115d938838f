"""Drift: how far recent tiles have moved from those that the calibration was fitted on.

    PSI   population stability index over the reference's bins, sum of (p - q) ln(p / q):
          up to 0.1 nothing, from 0.25 a major shift, as is usual
    KS    greatest distance between the two distributions, at the bins' edges, in [0, 1]

Reported from LEAST answers on: with fewer, chance alone passes for a shift.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healer.screening.calibration import Reference, Spread, counted

WINDOW = 500  # the last answers
LEAST = 200
ALERT_PSI = 0.25


@dataclass(frozen=True, slots=True)
class Shift:
    """Of one figure, over the last `answers`; None where there are too few."""

    figure: str
    answers: int
    psi: float | None
    ks: float | None


class Drift:
    """Thread-safe."""

    def __init__(self, reference: Reference) -> None:
        self._spreads = reference.figures
        self._lock = threading.Lock()
        self._windows: dict[str, deque[float]] = {
            name: deque(maxlen=WINDOW) for name in reference.figures
        }

    def add(self, figures: Mapping[str, float]) -> None:
        """Figures of one answer; those that the reference lacks are left out."""
        with self._lock:
            for name in self._windows.keys() & figures.keys():
                if math.isfinite(figures[name]):
                    self._windows[name].append(figures[name])

    def shifts(self) -> list[Shift]:
        with self._lock:
            windows = {name: list(window) for name, window in self._windows.items()}
        return [_shift(name, values, self._spreads[name]) for name, values in windows.items()]


def _shift(name: str, values: list[float], spread: Spread) -> Shift:
    if len(values) < LEAST:
        return Shift(name, len(values), None, None)
    counts = counted(values, spread.edges)
    return Shift(name, len(values), psi(counts, spread), ks(counts, spread))


def psi(counts: list[int], spread: Spread) -> float:
    """Half an answer more in each bin keeps an empty one from making it infinite."""
    total = sum(counts) + 0.5 * len(counts)
    index = 0.0
    for count, share in zip(counts, spread.shares, strict=True):
        observed, expected = (count + 0.5) / total, max(share, 1e-3)
        index += (observed - expected) * math.log(observed / expected)
    return index


def ks(counts: list[int], spread: Spread) -> float:
    total = sum(counts)
    below = zip(accumulate(counts), accumulate(spread.shares), strict=True)
    return max(abs(count / total - share) for count, share in below)


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
        help_texts = {
            "psi": "Population stability index of the last answers against the calibration's.",
            "ks": "Kolmogorov-Smirnov distance of the same, at the bins' edges.",
            "answers": "Answers that drift is computed from.",
        }
        psi, ks, answers = (
            GaugeMetricFamily(f"healer_drift_{name}", help_, labels=["figure"])
            for name, help_ in help_texts.items()
        )
        return psi, ks, answers
