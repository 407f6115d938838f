"""Against Gemma's own image processor, as the transformers engine runs it. Tolerance: none."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from healer.engines.openvino.model import Pixels, squared  # noqa: E402
from healer.images.decode import decode  # noqa: E402
from healer.images.tile import Tile  # noqa: E402

SIZE = 896  # MedGemma's
BILINEAR, BICUBIC = 2, 3
SHAPES = [(1, 1), (3, 500), (500, 3), (150, 150), (224, 224), (500, 768), (896, 896), (1300, 2000)]
FILES = [
    ("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"),
    ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "JPEG"), ("L", "TIFF"), ("P", "BMP"),
]  # fmt: skip


def noise(height: int, width: int) -> Tile:
    return Tile(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def fed(tile: Tile, size: int, resample: int = BILINEAR) -> Any:  # noqa: ANN401
    """What the processor feeds the model: float32 (3, size, size) in [-1, 1]."""
    processor = transformers.Gemma3ImageProcessorPil(
        size={"height": size, "width": size}, resample=resample, do_convert_rgb=True
    )
    return processor(Image.fromarray(tile.pixels), return_tensors="np")["pixel_values"][0]


def levels(values: Any) -> Pixels:  # noqa: ANN401
    """The uint8 (size, size, 3) that was fed, before rescaling and normalising."""
    given = np.rint((values.astype(np.float64) + 1) * 127.5)
    return np.asarray(given, np.uint8).transpose(1, 2, 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resample", [BILINEAR, BICUBIC])
def test_every_pixel_is_the_processors(shape: tuple[int, int], resample: int) -> None:
    tile = noise(*shape)
    ours = squared(tile, SIZE, resample)
    assert ours.dtype == np.uint8
    assert ours.shape == (SIZE, SIZE, 3)
    assert np.array_equal(ours, levels(fed(tile, SIZE, resample)))


@pytest.mark.parametrize(("mode", "format_"), FILES)
def test_every_pixel_of_a_file_of_any_mode(mode: str, format_: str) -> None:
    file = BytesIO()
    Image.fromarray(noise(37, 53).pixels).convert(mode).save(file, format_)
    tile = decode(file.getvalue(), max_pixels=10_000)
    assert np.array_equal(squared(tile, 112, BILINEAR), levels(fed(tile, 112)))


def test_every_pixel_of_real_tiles(samples: list[Path]) -> None:
    for path in samples[:5]:
        tile = decode(path.read_bytes(), max_pixels=10**7)
        assert np.array_equal(squared(tile, SIZE, BILINEAR), levels(fed(tile, SIZE)))


def test_the_tile_is_left_alone() -> None:
    tile = noise(112, 112)
    before = tile.pixels.copy()
    squared(tile, 112, BILINEAR).sum()
    assert np.array_equal(tile.pixels, before)
