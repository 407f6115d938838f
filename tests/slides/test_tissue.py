"""Where tissue is found on slides whose tissue is known, and which slides are none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from healer.errors.slides import NotBrightfield
from healer.slides.grid import tile_areas
from healer.slides.overview import Mask, mask_of
from healer.slides.reader import Area, Overview, Resolution, Rgba
from tests.slides.glass import UM_PER_PX, Patch, Pixels, glass_with

RESOLUTION = Resolution(UM_PER_PX, UM_PER_PX, "test")
SCALE = 16  # 8 µm a pixel
FRAGMENT = 448  # pixels: 0.05 mm²


def overview_of(picture: Pixels) -> Overview:
    height, width = picture.shape[0] // SCALE, picture.shape[1] // SCALE
    small = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
    alpha = np.full((height, width, 1), 255, np.uint8)
    unreadable = np.zeros((height, width), np.bool_)
    return Overview(np.concatenate([small, alpha], axis=2), unreadable, (SCALE, SCALE))


def mask(picture: Pixels) -> Mask:
    return mask_of(overview_of(picture), RESOLUTION)


def share(found: Mask, area: Area) -> float:
    return float(found.part(area).mean())


@pytest.mark.parametrize(
    ("label", "least"),
    [("tumor", 0.97), ("stroma", 0.97), ("mucosa", 0.97), ("lympho", 0.97), ("adipose", 0.7)],
)
def test_tissue_of_each_kind_is_found_where_it_is(label: str, least: float) -> None:
    area = Area(1000, 800, 1200, 1200)
    found = mask(glass_with((4000, 3000), [Patch(label, area)]))
    assert share(found, area) > least
    assert found.mm2 < 1.1 * RESOLUTION.mm2(area)


def test_small_fragments_and_thin_strips_are_kept() -> None:
    fragment = Area(500, 500, FRAGMENT, FRAGMENT)
    strip = Area(500, 2000, 3000, 160)
    found = mask(glass_with((4000, 3000), [Patch("tumor", fragment), Patch("mucosa", strip)]))
    assert share(found, fragment) > 0.95
    assert share(found, strip) > 0.95


def test_glass_alone_has_none() -> None:
    assert mask(glass_with((4000, 3000), [])).mm2 == 0


def test_what_was_not_scanned_and_black_padding_are_none() -> None:
    area = Area(1000, 800, 1200, 1200)
    picture = glass_with((4000, 3000), [Patch("tumor", area)])
    picture[:, 3000:] = 0
    overview = overview_of(picture)
    overview.pixels[:, :40] = 0
    found = mask_of(overview, RESOLUTION)
    assert share(found, Area(3100, 0, 900, 3000)) == 0
    assert share(found, Area(0, 0, 600, 3000)) == 0
    assert share(found, area) > 0.97


def test_what_cannot_be_read_counts_as_tissue() -> None:
    overview = overview_of(glass_with((4000, 3000), [Patch("tumor", Area(1000, 800, 900, 900))]))
    damaged = Area(2400, 1600, 320, 320)
    overview.unreadable[100:120, 150:170] = True
    overview.pixels[100:120, 150:170] = 0
    found = mask_of(overview, RESOLUTION)
    assert share(found, damaged) == 1
    assert found.unreadable.sum() == 400


def test_light_in_the_dark_is_no_brightfield_slide() -> None:
    pixels: Rgba = np.zeros((200, 200, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[..., 2] = 12
    pixels[50:100, 50:100, 2] = 240
    dark = Overview(pixels, np.zeros((200, 200), np.bool_), (SCALE, SCALE))
    with pytest.raises(NotBrightfield):
        mask_of(dark, RESOLUTION)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_every_bit_of_tissue_lies_in_a_tile(overlap: float) -> None:
    patches = [
        Patch("tumor", Area(333, 777, 1111, 901)),
        Patch("stroma", Area(3500, 100, 500, 500)),
    ]
    found = mask(glass_with((4000, 3000), patches))
    areas = tile_areas(found, RESOLUTION, 1.03, 224, overlap)
    covered = np.zeros_like(found.tissue)
    for area in areas:
        assert found.part(area).any()
        covered[found.pixels(area)] = True
    assert not (found.tissue & ~covered).any()
    assert len(set(areas)) == len(areas)


def test_tiles_are_square_on_glass_where_pixels_are_not() -> None:
    found = mask(glass_with((4000, 3000), [Patch("tumor", Area(333, 777, 1111, 901))]))
    oblong = Resolution(0.5, 0.25, "test")
    assert {(area.width, area.height) for area in tile_areas(found, oblong, 1.0, 224)} == {
        (448, 896)
    }


def test_the_first_tiles_spread_over_the_whole_slide() -> None:
    area = Area(0, 0, 8000, 8000)
    found = mask(glass_with((8000, 8000), [Patch("tumor", area)]))
    areas = tile_areas(found, RESOLUTION, 0.5, 200)
    first = areas[:25]
    assert {(each.x // 1600, each.y // 1600) for each in first} == {
        (x, y) for x in range(5) for y in range(5)
    }
    assert len(areas) == 1600
