"""A level that was made by leaving pixels out is known, and tiles are averaged from a finer one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from healer.slides.opening import open_slide
from healer.slides.reader import Area, Level
from healer.slides.slide_file import best_level
from tests.slides.glass import SLIDES, Patch, Pixels, glass_with

SIDE = 2048


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return glass_with((SIDE, SIDE), [Patch("tumor", Area(300, 200, 1200, 1500))])


def written(path: Path, picture: Pixels, how: Image.Resampling) -> Path:
    """In levels of halves, coded with JPEG each."""
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "jpeg"}
    with tifffile.TiffWriter(path) as file:
        for step in (1, 2, 4, 16):
            level = np.asarray(Image.fromarray(picture).resize((SIDE // step, SIDE // step), how))
            file.write(
                level,
                subfiletype=int(step > 1),
                resolution=(20_000 / step, 20_000 / step),
                resolutionunit="CENTIMETER",
                compressionargs={"level": 75},
                metadata=None,
                **options,
            )
    return path


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Image.Resampling.NEAREST, [False, True, True, False]),
        (Image.Resampling.BOX, [False] * 4),
        (Image.Resampling.LANCZOS, [False] * 4),
    ],
)
def test_levels_of_pixels_left_out_are_known(
    tmp_path: Path, picture: Pixels, how: Image.Resampling, expected: list[bool]
) -> None:
    with closing(open_slide(written(tmp_path / "slide.tiff", picture, how), readers=1)) as slide:
        assert [level.decimated for level in slide.info.levels] == expected


def test_a_tile_is_averaged_whatever_made_the_levels(tmp_path: Path, picture: Pixels) -> None:
    area, size = Area(400, 400, 896, 896), (448, 448)
    wanted = Image.fromarray(picture).crop((400, 400, 1296, 1296)).reduce(2)
    path = written(tmp_path / "slide.tiff", picture, Image.Resampling.NEAREST)
    with closing(open_slide(path, readers=1)) as slide:
        read = slide.read(area, size)[..., :3].astype(float)
    left_out = picture[400:1296:2, 400:1296:2].astype(float)
    away = np.abs(read - np.asarray(wanted)).mean()
    assert away < 0.7 * np.abs(read - left_out).mean()


def test_one_slide_looks_the_same_in_two_formats() -> None:
    """The DICOM's levels are decimated; the SVS has one level."""
    area, size = Area(600, 600, 896, 896), (448, 448)
    tiles = []
    for name in ("cmu-1-small-region.svs", "cmu-1-dicom"):
        with closing(open_slide(SLIDES / name, readers=1)) as slide:
            tiles.append(slide.read(area, size)[..., :3].astype(float))
    assert np.abs(tiles[0] - tiles[1]).mean() < 4  # 8.9 from the level of that scale


def test_a_map_of_the_whole_slide_is_read_from_a_decimated_level() -> None:
    levels = [Level(8000, 8000, 1.0), Level(4000, 4000, 2.0, True), Level(1000, 1000, 8.0, True)]
    assert [best_level(levels, scale) for scale in (1, 2, 4, 5, 8, 16)] == [0, 0, 0, 0, 2, 2]
