"""Healer's transformers engine on the CPU, in 8-bit."""

from __future__ import annotations

import bitsandbytes

from healer.bench import healer_medgemma
from healer.bench.contender import Order
from healer.bench.healer_medgemma import HealerMedGemma


def load(order: Order) -> HealerMedGemma:
    loaded = healer_medgemma.load(order, "8bit")
    loaded.versions["bitsandbytes"] = bitsandbytes.__version__
    return loaded
