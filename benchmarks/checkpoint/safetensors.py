"""Writing weights in the safetensors format as they are made, so that none is held whole."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.checkpoint.shapes import Weight
from healer.weights.manifest import Advance, ManifestFile

CHUNK = 4_000_000  # numbers made at a time
ONE = 0x3F80  # 1.0 in bfloat16
ALIGNMENT = 8


def write_safetensors(
    path: Path, weights: Sequence[Weight], seed: int, advance: Advance
) -> ManifestFile:
    """One shard, and its entry for the manifest; `advance` is told the bytes written."""
    head = header(weights)
    digest = hashlib.sha256(head)
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as stream:
        stream.write(head)
        for weight in weights:
            for chunk in numbers(weight, seed):
                stream.write(chunk.data)
                digest.update(chunk.data)
                advance(chunk.nbytes)
    draft.replace(path)
    return ManifestFile(name=path.name, size=path.stat().st_size, sha256=digest.hexdigest())


def header(weights: Sequence[Weight]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for weight in weights:
        start, end = end, end + weight.nbytes
        shape = list(weight.shape)
        entries[weight.name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def numbers(weight: Weight, seed: int) -> Iterator[NDArray[np.uint16]]:
    """The weight in bfloat16, a chunk at a time; the same for the same name and seed."""
    # Of its name, so that a weight does not hang on those before it.
    made = np.random.Generator(np.random.SFC64([seed, zlib.crc32(weight.name.encode())]))
    for start in range(0, weight.count, CHUNK):
        count = min(CHUNK, weight.count - start)
        if weight.kind == "noise":
            noise = made.standard_normal(count, np.float32)
            noise *= np.float32(weight.deviation)
            yield bfloat16(noise)
        else:
            yield np.full(count, ONE if weight.kind == "ones" else 0, np.uint16)


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Rounded to the nearest, ties to even; `values` are finite."""
    bits = values.view(np.uint32)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype(np.uint16)
