"""A folder of `healer optimize` into compiled graphs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openvino
from tokenizers import Tokenizer

from healer.engines.openvino import conversion_record
from healer.engines.openvino.attention import Attention, fastest, replace
from healer.engines.openvino.cache import ImageCache
from healer.engines.openvino.conversion_record import LANGUAGE, TOKENIZER, VISION, Described
from healer.engines.openvino.head import without_head
from healer.engines.openvino.language import Language
from healer.engines.openvino.model import Gemma, Vision
from healer.hardware import bfloat16_is_slow, cores, has_amx, instruction_sets

# Activations are rounded to 8 bits in groups of so many values: more is faster and coarser.
GROUPS = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}
UNROUNDED = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
# Where the feed-forward layers are made one operation each (on AMX), that rounds whole rows.
WHOLE_ROWS = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": str(2**64 - 1)}
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
) -> Gemma:
    """Values are those of Settings. Raises what OpenVINO and tokenizers raise."""
    core = openvino.Core()
    config = properties(threads, dtype)
    if keep_compiled and (place := compiled_cache(folder)):
        core.set_property({"CACHE_DIR": str(place), **WITHOUT_WEIGHTS})
        config |= WITHOUT_WEIGHTS
    with ThreadPoolExecutor(2) as pool:  # each compiles on one core
        seeing = pool.submit(vision, core, folder / VISION, config | rounding(), dtype)
        whole = record.precision.activations == "rows" and can_round_rows(threads)
        reading = pool.submit(
            language, core, folder / LANGUAGE, config, dtype, record.attention, whole_rows=whole
        )
    return Gemma(
        record,
        Tokenizer.from_file(str(folder / TOKENIZER)),
        seeing.result(),
        reading.result(),
        ImageCache(cache_mb * BYTES_A_MB),
    )


def vision(core: openvino.Core, file: Path, config: dict[str, Any], dtype: str) -> Vision:
    """With our own attention where that is faster, unless `dtype` is float32."""
    kernel = fastest()
    if dtype == "float32" or kernel is None:
        return Vision(core.compile_model(file, "CPU", config))
    model, attention = core.read_model(file), Attention(kernel)
    if not replace(model, attention):
        return Vision(core.compile_model(file, "CPU", config))
    compiled = core.compile_model(model, "CPU", config | UNKEPT)
    attention.threads = compiled.get_property("INFERENCE_NUM_THREADS")
    return Vision(compiled, attention=kernel.label)


def rounding() -> dict[str, str]:
    """OpenVINO rounds activations where the processor itself can multiply integers, and fails
    where only ONEDNN_MAX_CPU_ISA forbids that."""
    integers = {"avx512_vnni", "avx_vnni"} & instruction_sets()
    return GROUPS if integers else UNROUNDED


def can_round_rows(threads: int) -> bool:
    """OpenVINO's operation for it is of AMX, and divides its work by half the threads: with one
    alone, the process dies."""
    return has_amx() and (threads or cores()) > 1


def language(
    core: openvino.Core,
    file: Path,
    config: dict[str, Any],
    dtype: str,
    seen: conversion_record.Attention,
    *,
    whole_rows: bool,
) -> Language:
    """In bfloat16 where AMX makes that faster, up to the product that makes logits."""
    config = config | SMALL_CACHE
    exact = config | rounding() | EXACT
    if dtype == "float32" or not has_amx():
        return Language(core.compile_model(file, "CPU", exact), seen)
    layers, head = without_head(core.read_model(file))
    rounded = config | (WHOLE_ROWS if whole_rows else UNROUNDED) | UNKEPT
    compiled = core.compile_model(layers, "CPU", rounded)
    return Language(compiled, seen, core.compile_model(head, "CPU", exact | UNKEPT))


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
