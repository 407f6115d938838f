"""Both readers: what they show is what was written, whatever the format and the level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from healer.errors.base import RequestError
from healer.errors.slides import NotBrightfield, SlideDamaged, SlideUnsupported
from healer.slides.formats import open_slide_file
from healer.slides.openslide_file import bounds_of
from healer.slides.reader import Area, ColourChoice
from healer.slides.slide_file import (
    MOST_PIXELS,
    SlideFile,
    best_level,
    honest_levels,
    read_area,
    reconcile,
)
from tests.slides.glass import (
    SLIDES,
    Patch,
    Pixels,
    glass_with,
    write_dicom,
    write_mrxs,
    write_ome,
    write_pyramid,
    write_qptiff,
    write_strips,
    write_svs,
)
from tests.slides.hostile import HOSTILE, many_directories, written

OpenFile = Callable[[Path, ColourChoice], SlideFile]
Writer = Callable[[Path, Pixels], Path]


def write_dicom_base(path: Path, picture: Pixels) -> Path:
    """The series, by its finest level."""
    return write_dicom(path, picture) / "level-0.dcm"


WRITERS: dict[str, tuple[Writer, str]] = {
    "slide.svs": (write_svs, "openslide"),
    "slide.tiff": (write_pyramid, "openslide"),
    "dicom": (write_dicom_base, "openslide"),
    "slide.ome.tiff": (write_ome, "tifffile"),
    "slide.qptiff": (write_qptiff, "tifffile"),
    "strips.tiff": (write_strips, "tifffile"),
}
# Its pictures of glass are left out, and those at its edge are whole.
WITH_MRXS = {**WRITERS, "slide.mrxs": (write_mrxs, "openslide")}
SIDE = 1500
LOSSY = 6.0  # mean grey levels by which JPEG and halving may change a picture


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return glass_with((SIDE, SIDE - 100), [Patch("tumor", Area(300, 200, 800, 900))])


@pytest.fixture
def open_file() -> Iterator[OpenFile]:
    with ExitStack() as opened:

        def open_(path: Path, colour: ColourChoice) -> SlideFile:
            return opened.enter_context(closing(open_slide_file(path, colour)))

        yield open_


@pytest.mark.parametrize("name", WITH_MRXS)
@pytest.mark.parametrize("shrink", [1, 2, 3, 4.5])
def test_an_area_is_what_was_written_there(
    open_file: OpenFile, tmp_path: Path, picture: Pixels, name: str, shrink: float
) -> None:
    write, library = WITH_MRXS[name]
    file = open_file(write(tmp_path / name, picture), "raw")
    area, side = Area(310, 233, 900, 900), round(900 / shrink)
    read = read_area(file, area, (side, side))
    box = (area.x, area.y, area.right, area.bottom)
    wanted = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box=box)
    assert file.description.reader.startswith(library)
    assert np.abs(read[..., :3].astype(float) - np.asarray(wanted)).mean() < LOSSY
    assert read[..., 3].min() == 255
    assert reconcile(file.description.statements).x == pytest.approx(0.5)


@pytest.mark.parametrize("name", WRITERS)
def test_beside_the_slide_nothing_was_scanned(
    open_file: OpenFile, tmp_path: Path, picture: Pixels, name: str
) -> None:
    file = open_file(WRITERS[name][0](tmp_path / name, picture), "raw")
    read = read_area(file, Area(-100, SIDE - 200, 200, 200), (200, 200))
    assert read[:100, 100:, 3].min() == 255
    assert read[101:, :, 3].max() == 0
    assert read[:, :100, 3].max() == 0


def test_a_large_area_is_read_in_pieces_without_a_seam(
    open_file: OpenFile, tmp_path: Path, picture: Pixels
) -> None:
    wide = np.tile(picture, (2, 2, 1))
    file = open_file(write_strips(tmp_path / "wide.tiff", wide), "raw")
    height, width = wide.shape[:2]
    assert width * height > MOST_PIXELS
    read = read_area(file, Area(0, 0, width, height), (width // 4, height // 4))
    wanted = Image.fromarray(wide).resize((width // 4, height // 4), Image.Resampling.BILINEAR)
    assert np.abs(read[..., :3].astype(float) - np.asarray(wanted)).max() < 40
    assert np.abs(read[..., :3].astype(float) - np.asarray(wanted)).mean() < 0.5


def test_tiles_that_a_writer_left_out_were_not_scanned(
    open_file: OpenFile, tmp_path: Path, picture: Pixels
) -> None:
    path = tmp_path / "sparse.ome.tiff"
    tiles = [None if at == 7 else picture[:256, :256] for at in range(16)]
    tifffile.imwrite(
        path,
        iter(tiles),
        shape=(1024, 1024, 3),
        dtype=np.uint8,
        tile=(256, 256),
        photometric="rgb",
        metadata={"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    file = open_file(path, "raw")
    alpha = read_area(file, Area(0, 0, 1024, 1024), (1024, 1024))[..., 3]
    assert alpha[256:512, 768:].max() == 0
    assert (alpha == 0).sum() == 256 * 256


def test_a_level_in_other_proportions_is_not_used() -> None:
    levels = honest_levels([(10_000, 5_000), (5_000, 2_500), (2_500, 2_500), (1_251, 625), (0, 0)])
    assert list(levels) == [0, 1, 3]
    assert best_level(tuple(levels.values()), 7.9) == 1
    assert best_level(tuple(levels.values()), 0.5) == 0


def test_bounds_are_those_stated_and_inside_the_slide() -> None:
    names = ("x", "y", "width", "height")
    values = dict(zip(names, ("100", "50", "1000", "9999"), strict=True))
    properties = {f"openslide.bounds-{name}": value for name, value in values.items()}
    assert bounds_of(properties, (800, 600)) == Area(100, 50, 700, 550)
    assert bounds_of({}, (800, 600)) == Area(0, 0, 800, 600)


def test_a_profile_is_applied_only_where_that_was_chosen(
    open_file: OpenFile, tmp_path: Path, picture: Pixels
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    path = tmp_path / "icc.tiff"
    tifffile.imwrite(path, picture, photometric="rgb", metadata=None, iccprofile=profile.tobytes())
    assert open_file(path, "raw").description.colour == "raw"
    with pytest.raises(SlideDamaged, match="ICC profile"):
        open_file(path, "srgb")
    real = SLIDES / "tcga-cr-7395.svs"
    area, size = Area(1000, 1000, 300, 300), (100, 100)
    raw, srgb = (open_file(real, colour) for colour in ("raw", "srgb"))
    assert srgb.description.colour == "srgb"
    difference = np.abs(read_area(raw, area, size).astype(int) - read_area(srgb, area, size)).mean()
    assert difference < 2  # its profile is sRGB already


def test_without_a_profile_srgb_is_raw(
    open_file: OpenFile, tmp_path: Path, picture: Pixels
) -> None:
    file = open_file(write_svs(tmp_path / "slide.svs", picture), "srgb")
    assert file.description.colour == "raw"


def test_channels_that_are_no_colours_are_fluorescence(open_file: OpenFile, tmp_path: Path) -> None:
    path = tmp_path / "channels.ome.tiff"
    channels = np.zeros((4, 600, 600), np.uint16)
    tifffile.imwrite(path, channels, tile=(256, 256), metadata={"axes": "CYX"})
    with pytest.raises(NotBrightfield, match="CYX"):
        open_file(path, "raw")


def test_a_scan_in_grey_is_refused(open_file: OpenFile, tmp_path: Path) -> None:
    path = tmp_path / "grey.tiff"
    tifffile.imwrite(path, np.zeros((600, 600), np.uint8), metadata=None)
    with pytest.raises(SlideUnsupported, match="in grey"):
        open_file(path, "raw")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_slide_is_refused_or_its_areas_are(
    open_file: OpenFile, tmp_path: Path, name: str
) -> None:
    path = written(tmp_path, HOSTILE[name])
    with pytest.raises(RequestError) as refused:
        read_area(open_file(path, "raw"), Area(0, 0, 16, 16), (16, 16))
    assert str(tmp_path) not in str(refused.value)


def test_a_million_directories_are_not_walked(open_file: OpenFile, tmp_path: Path) -> None:
    path = written(tmp_path, many_directories(1_000_000))
    with pytest.raises(SlideDamaged, match="more than 1,000 pictures"):
        open_file(path, "raw")
