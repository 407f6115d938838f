"""YCbCr samples as TIFF packs them, and their colours (ITU-R BT.601, full range)."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = bytes | memoryview
Eight = NDArray[np.uint8]


def bytes_of(area: tuple[int, int], across: int, down: int) -> int:
    """What (height, width) pixels take, one Cb and one Cr for `across` × `down` of them."""
    height, width = area
    return ceil(height / down) * ceil(width / across) * (across * down + 2)


def unpacked(packed: Bytes, area: tuple[int, int], across: int, down: int) -> Eight:
    """RGB of `area`: each unit is `down` rows of `across` Ys, then Cb and Cr."""
    height, width = area
    units = np.frombuffer(packed, np.uint8).reshape(ceil(height / down), ceil(width / across), -1)
    rows, columns = units.shape[0] * down, units.shape[1] * across
    packed_luma = units[..., :-2].reshape(*units.shape[:2], down, across)
    planes = np.empty((rows, columns, 3), np.uint8)
    planes[..., 0] = packed_luma.transpose(0, 2, 1, 3).reshape(rows, columns)
    planes[..., 1:] = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return to_rgb(planes[:height, :width])


def to_rgb(planes: NDArray[np.generic]) -> Eight:
    size = (planes.shape[1], planes.shape[0])
    image = Image.frombytes("YCbCr", size, np.ascontiguousarray(planes).tobytes())
    return np.asarray(image.convert("RGB"))
