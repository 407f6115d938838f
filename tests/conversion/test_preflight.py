from __future__ import annotations

from pathlib import Path

import pytest

from healer.conversion.checkpoint import Checkpoint
from healer.conversion.request import SMALL, check_disk, check_memory, stored_bytes, working_bytes
from healer.errors import ConversionDiskFull, MemoryTooSmall

TOO_MUCH = 10**18


def test_a_disk_too_small_is_reported_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(ConversionDiskFull, match="1,000,000,000,000,000,000 bytes") as raised:
        check_disk(tmp_path, TOO_MUCH)
    assert 0 < raised.value.free_bytes < TOO_MUCH
    check_disk(tmp_path, 1)


def test_memory_too_small_is_reported() -> None:
    with pytest.raises(MemoryTooSmall, match="1,000,000,000,000,000,000 bytes"):
        check_memory("m", TOO_MUCH)
    check_memory("m", 1)


def test_four_bits_need_less(checkpoint: Path) -> None:
    found = Checkpoint(checkpoint, "m")
    eight, four = stored_bytes(found, "int8"), stored_bytes(found, "int4")
    assert SMALL < four < eight
    assert working_bytes(found, "int8") > eight
