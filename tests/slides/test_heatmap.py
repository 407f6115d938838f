from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from healer import NOTICE
from healer.slides.heatmap import (
    NOT_READ,
    Raster,
    map_downsample,
    overlay,
    probability_map,
    write_pyramid,
)
from healer.slides.reader import Area, Level, Resolution, SlideInfo
from tests.slides.results import refused, scored


def info_of(size: tuple[int, int], um: float, *downsamples: float) -> SlideInfo:
    levels = tuple(Level(round(size[0] / d), round(size[1] / d), d) for d in (1.0, *downsamples))
    bounds = Area(0, 0, *size)
    return SlideInfo(size, Resolution(um, um, "test"), levels, bounds, {}, "memory", "raw", "", "")


def test_a_map_holds_each_tile_s_probability_in_its_place_and_nothing_elsewhere() -> None:
    raster = Raster(8, 4, (800, 400))
    values = probability_map([scored(1, 2, 0.9), refused(3, 0, "too_blurred")], raster)
    assert values[2, 1] == np.float32(0.9)
    assert np.isnan(values).sum() == 8 * 4 - 1


def test_tiles_that_overlap_are_averaged() -> None:
    values = probability_map([scored(0, 0, 0.8), scored(0.5, 0, 0.4)], Raster(16, 4, (800, 200)))
    assert values[0, :3].tolist() == pytest.approx([0.8, 0.6, 0.4])


def test_tissue_that_was_not_scored_is_grey_and_glass_is_clear() -> None:
    tissue = np.zeros((4, 8), bool)
    tissue[0, :2] = True
    layer = np.asarray(overlay([scored(0, 0, 0.9)], tissue, Raster(8, 4, (800, 400))))
    assert tuple(layer[0, 1]) == NOT_READ
    assert layer[3, 7, 3] == 0
    assert layer[0, 0, 3] > 150


@pytest.mark.parametrize(
    ("um", "downsamples", "expected"),
    [
        (0.25, (), 32),
        (0.5, (4.0, 16.0), 16),
        (0.25, (4.0, 16.003), 16.003),
        (0.25, (2.0,), 32),
        (8, (), 1),
    ],
)
def test_the_pyramid_follows_a_level_of_the_slide_s_own(
    um: float, downsamples: tuple[float, ...], expected: float
) -> None:
    assert map_downsample(info_of((100_000, 80_000), um, *downsamples)) == expected


def test_the_pyramid_is_ome_tiff_with_scale_channels_and_levels(tmp_path: Path) -> None:
    info = info_of((20_000, 10_000), 0.5)
    results = [scored(40, 20, 0.9), scored(41, 20, 0.1)]
    write_pyramid(tmp_path / "heatmap.ome.tif", results, info)
    with tifffile.TiffFile(tmp_path / "heatmap.ome.tif") as file:
        assert file.is_ome
        (series,) = file.series
        assert [level.shape for level in series.levels] == [
            (2, 625, 1250),
            (2, 313, 625),
            (2, 157, 313),
            (2, 79, 157),
        ]
        metadata = str(file.ome_metadata)
        values = series.asarray()
    assert 'PhysicalSizeX="8.0"' in metadata
    assert 'Name="probability"' in metadata
    assert NOTICE in metadata
    probability, read = values
    assert probability[2001 // 16 + 1, 4001 // 16 + 1] == np.float32(0.9)
    assert 2 * 6 * 6 <= read.sum() <= 2 * 7 * 7


def test_pictures_carry_the_notice(tmp_path: Path) -> None:
    from healer.slides.heatmap import write_picture

    write_picture(tmp_path / "a.png", Image.new("RGB", (4, 4)))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["Comment"] == NOTICE
