"""transformers with bitsandbytes' 8-bit weights, as its own documentation loads them."""

from __future__ import annotations

import bitsandbytes  # noqa: F401 - so that its import is timed with the others
from transformers import BitsAndBytesConfig

from benchmarks.medgemma import plain_transformers
from benchmarks.medgemma.plain_transformers import Plain
from benchmarks.medgemma.system import BenchmarkOrder


def load(order: BenchmarkOrder) -> Plain:
    quantizer = BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    libraries = (*plain_transformers.LIBRARIES, "bitsandbytes")
    return plain_transformers.load(order, libraries, quantization_config=quantizer)
