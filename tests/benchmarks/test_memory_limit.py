from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.errors import NoMemoryLimit
from benchmarks.processes import (
    MemoryLimit,
    drop_page_cache,
    make_memory_limit,
    parse_size,
)
from healer.errors import InvalidSettings

LIMIT = 256 * 1024**2
HUNGRY = "x = bytearray(1024**3); x[::4096] = b'1' * len(x[::4096])"


@pytest.fixture
def memory_limit() -> Iterator[MemoryLimit]:
    try:
        with make_memory_limit(LIMIT) as made:
            yield made
    except NoMemoryLimit as why:
        pytest.skip(str(why))


@pytest.mark.parametrize(("text", "size"), [("8G", 2**33), ("512m", 2**29), ("8GiB", 2**33)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "8T", "-1G", "1.5G"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidSettings):
        parse_size(text)


def test_a_process_past_the_limit_is_killed(memory_limit: MemoryLimit) -> None:
    done = subprocess.run(memory_limit.command([sys.executable, "-c", HUNGRY]), check=False)
    assert done.returncode in (-9, 137)
    assert memory_limit.kills == 1


def test_a_small_one_is_not(memory_limit: MemoryLimit) -> None:
    done = subprocess.run(memory_limit.command([sys.executable, "-c", "print(1)"]), check=True)
    assert done.returncode == 0
    assert memory_limit.kills == 0


def test_where_no_limit_can_be_set(tmp_path: Path) -> None:
    with (
        pytest.raises(NoMemoryLimit, match="needs root"),
        make_memory_limit(LIMIT, tmp_path / "absent"),
    ):
        pass


def test_dropping_the_page_cache_keeps_the_files(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"kept")
    drop_page_cache(tmp_path)
    assert (tmp_path / "weights").read_bytes() == b"kept"
