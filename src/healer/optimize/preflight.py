"""What a conversion will need, and whether it is there before anything is begun."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psutil

from healer import memory
from healer.engines.openvino.folder import Weights
from healer.errors import ConversionDiskFull, MemoryTooSmall
from healer.optimize.checkpoint import EMBEDDING, Checkpoint

# Bytes a weight takes with its scales; int4 leaves embedding and vision in eight bits.
STORED = {"int8": 1.02, "int4": 0.57}
TEXT_LAYER = re.compile(r"language_model\.layers\.")
SMALL = 4_000_000  # the graphs themselves, the float32 logits of the tiles and the record


def check_disk(folder: Path, needed: int) -> None:
    """Raises ConversionDiskFull; `folder` exists."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConversionDiskFull(str(folder), needed, free)


def check_memory(model_id: str, needed: int) -> None:
    """Raises MemoryTooSmall."""
    free = min(int(psutil.virtual_memory().available), memory.limit_bytes())
    if free < needed:
        raise MemoryTooSmall(model_id, needed, free)


def stored(checkpoint: Checkpoint, weights: Weights) -> int:
    """About how many bytes the converted folder takes."""
    layers = sum(map(checkpoint.count, filter(TEXT_LAYER.match, checkpoint.names)))
    others = sum(map(checkpoint.count, checkpoint.names)) - layers
    return int(layers * STORED[weights] + others * STORED["int8"]) + SMALL


def working(checkpoint: Checkpoint, weights: Weights) -> int:
    """About the most bytes of memory that are held at once: converting, in float32, or serving."""
    embedding = 4 * checkpoint.count(EMBEDDING)
    return max(stored(checkpoint, weights), embedding) + embedding // 2
