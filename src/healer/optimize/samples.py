"""Tiles that a conversion is verified on where none are given."""

from __future__ import annotations

from healer.engines.medgemma import soundness
from healer.optimize.order import Sample
from healer.screening import selftest


def known_samples() -> tuple[Sample, ...]:
    """Drawn ones, the same everywhere."""
    return (
        Sample("drawn nuclei", selftest.known_tile()),
        Sample("eosin alone", soundness.known_tile()),
    )
