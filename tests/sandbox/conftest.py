from __future__ import annotations

from collections.abc import Iterator

import pytest

from healer.sandbox.loader import Worker
from healer.sandbox.protocol import Limits
from tests.images.hostile import corpus

LIMITS = Limits(max_pixels=40_000_000, max_bytes=20 * 1024 * 1024, seconds=60)
HASTY = Limits(max_pixels=40_000_000, max_bytes=20 * 1024 * 1024, seconds=0.5)


@pytest.fixture(scope="session")
def endless() -> bytes:
    """A JPEG of six megabytes that takes minutes to read."""
    return next(each.make() for each in corpus() if each.group == "never ends")


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(LIMITS)
    yield worker
    worker.close()
