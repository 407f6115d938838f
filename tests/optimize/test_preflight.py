from __future__ import annotations

from pathlib import Path

import pytest

from healer.errors import ConversionDiskFull, MemoryTooSmall
from healer.optimize import preflight
from healer.optimize.checkpoint import Checkpoint

TOO_MUCH = 10**18


def test_a_disk_too_small_is_told_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(ConversionDiskFull, match="1,000,000,000,000,000,000 bytes") as told:
        preflight.check_disk(tmp_path, TOO_MUCH)
    assert 0 < told.value.free_bytes < TOO_MUCH
    preflight.check_disk(tmp_path, 1)


def test_memory_too_small_is_told() -> None:
    with pytest.raises(MemoryTooSmall, match="1,000,000,000,000,000,000 bytes"):
        preflight.check_memory("m", TOO_MUCH)
    preflight.check_memory("m", 1)


def test_four_bits_need_less(checkpoint: Path) -> None:
    found = Checkpoint(checkpoint, "m")
    eight, four = preflight.stored(found, "int8"), preflight.stored(found, "int4")
    assert preflight.SMALL < four < eight
    assert preflight.working(found, "int8") > eight
