"""transformers with bitsandbytes' 8-bit weights, as its own documentation loads them."""

from __future__ import annotations

import bitsandbytes  # noqa: F401 - so that its import is timed with the others
from transformers import BitsAndBytesConfig

from benchmarks import plain_transformers
from benchmarks.plain_transformers import Plain
from healer.bench.contender import Order


def load(order: Order) -> Plain:
    quantizer = BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    libraries = (*plain_transformers.LIBRARIES, "bitsandbytes")
    return plain_transformers.load(order, libraries, quantization_config=quantizer)
