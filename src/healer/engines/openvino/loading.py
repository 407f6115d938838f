"""A folder of `healer optimize` into compiled graphs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openvino
from tokenizers import Tokenizer

from healer.engines.openvino import attention, conversion_record, linear, products
from healer.engines.openvino.attention import Attention
from healer.engines.openvino.cache import ImageCache
from healer.engines.openvino.conversion_record import (
    LANGUAGE,
    TOKENIZER,
    VISION,
    Activations,
    Described,
)
from healer.engines.openvino.decoder import decoder_of
from healer.engines.openvino.language import Language
from healer.engines.openvino.model import Gemma, Vision
from healer.engines.openvino.pages import ask_for_large_pages
from healer.engines.openvino.products import Products, Unit
from healer.hardware import bfloat16_is_slow, cores, instruction_sets

# Activations are rounded to 8 bits in groups of so many values: more is faster and coarser.
GROUPS = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}
UNROUNDED = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
PRECISION = "INFERENCE_PRECISION_HINT"
EXACT = {PRECISION: "f32"}
SMALL_CACHE = {"KV_CACHE_PRECISION": "u8"}
# A compiled graph is cached without its weights; those stay where they are, mapped into memory.
WITHOUT_WEIGHTS = {"CACHE_MODE": "OPTIMIZE_SIZE"}
UNKEPT = {"CACHE_DIR": ""}  # of a changed graph OpenVINO keeps what it cannot read again
BYTES_A_MB = 1024 * 1024


def load(
    folder: Path,
    record: Described,
    *,
    threads: int,
    dtype: str,
    cache_mb: int,
    keep_compiled: bool = True,
    unit: Unit | None = None,
) -> Gemma:
    """Values are those of Settings; `unit` is for products of our own, the fastest if none is
    given. Raises what OpenVINO and tokenizers raise."""
    core = openvino.Core()
    config = properties(threads, dtype)
    if keep_compiled and (place := compiled_cache(folder)):
        core.set_property({"CACHE_DIR": str(place), **WITHOUT_WEIGHTS})
        config |= WITHOUT_WEIGHTS
    ours = own_products(record.precision.activations, threads, dtype, unit)
    with ThreadPoolExecutor(2) as pool:  # each compiles on one core
        seeing = pool.submit(vision, core, folder / VISION, config | rounding(), dtype, ours)
        reading = pool.submit(language, core, folder / LANGUAGE, config, record.attention, ours)
        sees, reads = seeing.result(), reading.result()
    return Gemma(
        record,
        Tokenizer.from_file(str(folder / TOKENIZER)),
        sees,
        reads,
        ImageCache(cache_mb * BYTES_A_MB),
    )


def vision(
    core: openvino.Core, file: Path, config: dict[str, Any], dtype: str, ours: Products | None
) -> Vision:
    """With our own attention where that is faster, unless `dtype` is float32, and in float32 with
    `ours`, if given."""
    kernel = None if dtype == "float32" else attention.fastest()
    if kernel is None:
        return Vision(core.compile_model(file, "CPU", config))
    model, attends = core.read_model(file), Attention(kernel)
    ask_for_large_pages(model)
    if ours is not None and linear.put_in(model, ours):
        config = config | UNROUNDED | EXACT
    if not attention.replace(model, attends):
        return Vision(core.compile_model(model, "CPU", config | UNKEPT))
    compiled = core.compile_model(model, "CPU", config | UNKEPT)
    attends.threads = compiled.get_property("INFERENCE_NUM_THREADS")
    return Vision(compiled, attention=kernel.label)


def own_products(
    activations: Activations, threads: int, dtype: str, unit: Unit | None
) -> Products | None:
    """Where they can be had, unless `dtype` is float32."""
    if dtype == "float32" or not products.available():
        return None
    return Products(activations, threads or cores(), unit)


def rounding() -> dict[str, str]:
    """OpenVINO rounds activations where the processor itself can multiply integers, and fails
    where only ONEDNN_MAX_CPU_ISA forbids that."""
    integers = {"avx512_vnni", "avx_vnni"} & instruction_sets()
    return GROUPS if integers else UNROUNDED


def language(
    core: openvino.Core,
    file: Path,
    config: dict[str, Any],
    seen: conversion_record.Attention,
    ours: Products | None,
) -> Language:
    """In float32, but for the products that are `ours`."""
    config = config | SMALL_CACHE | rounding() | EXACT
    if ours is None:
        return Language(core.compile_model(file, "CPU", config), seen)
    model = core.read_model(file)
    ask_for_large_pages(model)
    decoder = decoder_of(model, seen, ours.threads)
    if not linear.put_in(model, ours):
        return Language(core.compile_model(file, "CPU", config), seen)
    return Language(core.compile_model(model, "CPU", config | UNKEPT), seen, ours.label, decoder)


def properties(threads: int, dtype: str) -> dict[str, Any]:
    """Of both graphs. bfloat16 is what the plugin takes by itself where the CPU computes in it."""
    found: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    exact = dtype == "float32" or bfloat16_is_slow()
    return found | (EXACT if exact else {})


def compiled_cache(folder: Path) -> Path | None:
    """Where compiled graphs are cached between starts: beside `folder`, if that can be written."""
    folder = folder.resolve()
    place = folder.with_name(f"{folder.name}-compiled")
    writable = place if place.exists() else place.parent
    return place if os.access(writable, os.W_OK) else None
