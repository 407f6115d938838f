"""Healer's transformers engine on the CPU, in 8-bit."""

from __future__ import annotations

import bitsandbytes

from benchmarks.medgemma import healer_transformers
from benchmarks.medgemma.healer_transformers import HealerMedGemma
from benchmarks.medgemma.system import BenchmarkOrder


def load(order: BenchmarkOrder) -> HealerMedGemma:
    loaded = healer_transformers.load(order, "8bit")
    loaded.versions["bitsandbytes"] = bitsandbytes.__version__
    return loaded
