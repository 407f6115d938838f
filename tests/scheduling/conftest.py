from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from healer.images.tile import Tile
from healer.scheduling.job import Deadline


def tile(red: int = 200) -> Tile:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 0] = red
    return Tile(pixels=pixels)


def later(seconds: float = 60) -> Deadline:
    return Deadline.after(seconds)


@asynccontextmanager
async def running(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
