"""Tiles into what the vision tower takes: resized on the CPU, sent as bytes, normalised there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

if TYPE_CHECKING:
    from healer.images.tile import Tile


def resized(image_processor: Any, tile: Tile) -> torch.Tensor:  # noqa: ANN401
    """The processor's own resizing: uint8 (3, side, side)."""
    made = image_processor(
        images=Image.fromarray(tile.pixels),
        do_rescale=False,
        do_normalize=False,
        do_pan_and_scan=False,
        return_tensors="pt",
    )
    pixels: torch.Tensor = made["pixel_values"][0]
    return pixels.to(torch.uint8)


def batches(image_processor: Any, tiles: Sequence[Tile], size: int) -> Iterator[torch.Tensor]:  # noqa: ANN401
    """uint8 (up to `size`, 3, side, side), in order. Tiles of later batches are resized on other
    cores while the caller is busy with an earlier one."""
    if len(tiles) == 1:
        yield resized(image_processor, tiles[0])[None]
        return
    with ThreadPoolExecutor(min(len(tiles), os.cpu_count() or 1)) as pool:
        every = pool.map(lambda tile: resized(image_processor, tile), tiles)
        for start in range(0, len(tiles), size):
            yield torch.stack([next(every) for _ in tiles[start : start + size]])


def to_device(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """From pinned memory without waiting, where that means something: a quarter of the bytes
    that floats would take. torch keeps pinned memory and uses it again."""
    if device.type != "cuda":
        return pixels.to(device)
    return pixels.pin_memory().to(device, non_blocking=True)


class Normal:
    """Bytes into float32, by the processor's own figures and in its order."""

    def __init__(self, image_processor: Any, device: torch.device) -> None:  # noqa: ANN401
        self._scale: float = image_processor.rescale_factor
        self._mean, self._std = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (image_processor.image_mean, image_processor.image_std)
        )

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.float() * self._scale - self._mean) / self._std
