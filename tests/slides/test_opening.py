"""Slides read in processes of their own: real files, real damage, readers really killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog

from healer.errors.base import HealerError
from healer.errors.request import EmptyFile, FileNotReadable
from healer.errors.slides import (
    AreaUnreadable,
    NoResolution,
    NotASlide,
    NotBrightfield,
    ResolutionContradictory,
    SlideDamaged,
    SlideError,
    SlideTooCostly,
    SlideUnsupported,
)
from healer.quality.gate import LoadedTile
from healer.slides import opening
from healer.slides.formats import open_slide_file
from healer.slides.opening import open_slide, slide_limits
from healer.slides.overview import tissue_mask
from healer.slides.reader import Area, Resolution, SlideReader
from healer.slides.slide_file import read_area
from tests.slides.glass import (
    SLIDES,
    Patch,
    Pixels,
    glass_with,
    write_dicom,
    write_mrxs,
    write_pyramid,
    write_svs,
)

AREA = Area(500, 500, 448, 448)


@contextmanager
def opened(path: Path, readers: int = 1, **options: float) -> Iterator[SlideReader]:
    with closing(open_slide(path, readers=readers, **options)) as slide:  # type: ignore[arg-type]
        yield slide


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return glass_with((1500, 1400), [Patch("tumor", Area(300, 200, 800, 900))])


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory, picture: Pixels) -> Iterator[SlideReader]:
    path = write_svs(tmp_path_factory.mktemp("slides") / "CANARY-Name.svs", picture)
    with opened(path, readers=2) as reader:
        yield reader


def test_what_it_reads_is_what_this_process_would(tmp_path: Path, picture: Pixels) -> None:
    path = write_svs(tmp_path / "same.svs", picture)
    with opened(path) as there, closing(open_slide_file(path, "raw")) as here:
        assert np.array_equal(there.read(AREA, (224, 224)), read_area(here, AREA, (224, 224)))


def test_tiles_come_in_order_with_what_the_gate_says(slide: SlideReader) -> None:
    areas = [Area(x, 300, 448, 448) for x in (300, 500, 1100, 2000)]
    reads = list(slide.tiles(areas, (224, 224)))
    assert [read.area for read in reads] == areas
    tissue, _, _, beyond = (read.loaded for read in reads)
    assert isinstance(tissue, LoadedTile)
    assert isinstance(beyond, LoadedTile)
    assert tissue.gate is not None
    assert beyond.gate is not None
    assert tissue.gate.passed
    assert [reason.code for reason in beyond.gate.reasons] == ["no_tissue"]
    assert tissue.tile.mpp == 1.0
    assert [read.scanned for read in reads] == [1, 1, pytest.approx(400 / 448, abs=0.01), 0]
    assert beyond.tile.pixels.min() == 255  # what was not scanned is white


def test_a_damaged_tile_is_one_area(tmp_path: Path, picture: Pixels) -> None:
    path = write_svs(tmp_path / "damaged.svs", picture)
    damage(path, 7)
    areas = [Area(x * 256, y * 256, 256, 256) for y in range(5) for x in range(5)]
    with opened(path, readers=2) as reader:
        reads = list(reader.tiles(areas, (256, 256)))
    unread = [read for read in reads if isinstance(read.loaded, AreaUnreadable)]
    assert [read.area for read in unread] == [Area(256, 256, 256, 256)]


def damage(path: Path, tile: int) -> None:
    """Overwrite one tile of level 0."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        offset, count = page.dataoffsets[tile], page.databytecounts[tile]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes(count))


def test_a_reader_that_is_killed_costs_no_area(tmp_path: Path, picture: Pixels) -> None:
    path = write_svs(tmp_path / "slide.svs", picture)
    with opened(path) as reader:
        before = reader.read(AREA, (64, 64))
        (child,) = [
            process
            for process in psutil.Process().children()
            if "healer.slides.process" in process.cmdline()
            and any(str(path) == link for link in _open_files(process))
        ]
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert np.array_equal(reader.read(AREA, (64, 64)), before)


def _open_files(process: psutil.Process) -> list[str]:
    return [file.path for file in process.open_files()]


def test_a_reader_is_replaced_before_it_grows(
    tmp_path: Path, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "READS_A_PROCESS", 2)
    path = write_svs(tmp_path / "slide.svs", picture)
    with opened(path) as reader:
        reads = list(reader.tiles([AREA] * 5, (64, 64), "off"))
    assert all(isinstance(read.loaded, LoadedTile) for read in reads)


def test_a_slide_that_stops_its_readers_again_and_again_is_refused(
    tmp_path: Path, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MOST_LOST", 1)
    path = write_svs(tmp_path / "slide.svs", picture)
    with opened(path) as reader:
        monkeypatch.setattr("healer.sandbox.loader.LONGEST_REPLY", 3)
        with pytest.raises(AreaUnreadable, match="stopped the process"):
            reader.read(AREA, (64, 64))
        with pytest.raises(SlideTooCostly):
            reader.read(AREA, (64, 64))


def test_a_process_has_bounded_memory_and_files() -> None:
    limits = slide_limits([40, 41], 20)
    assert limits.memory_bytes < 600 * 1024**2
    assert limits.open_files > 41


@pytest.mark.parametrize("value", [b"CANARY", b"01/02/03"])
def test_nothing_that_names_a_patient_comes_out(slide: SlideReader, value: bytes) -> None:
    assert value.decode() not in repr(slide.info)


def test_nor_out_of_dicom(tmp_path: Path, picture: Pixels) -> None:
    with opened(write_dicom(tmp_path / "CANARY", picture)) as reader:
        assert reader.info.size == (1500, 1400)
        assert "CANARY" not in repr(reader.info)


def test_nor_is_it_in_a_log(tmp_path: Path, picture: Pixels) -> None:
    path = write_svs(tmp_path / "CANARY-Name.svs", picture)
    with opened(path) as reader, structlog.testing.capture_logs() as logs:
        for process in psutil.Process().children():
            if "healer.slides.process" in process.cmdline():
                process.kill()
        reader.read(AREA, (64, 64))
        key = reader.info.log_key
    assert any(entry.get("slide") == key for entry in logs)
    assert "CANARY" not in repr(logs)


def test_a_given_resolution_is_recorded_with_its_source(tmp_path: Path, picture: Pixels) -> None:
    path = write_pyramid(tmp_path / "slide.tiff", picture, um_per_px=352.8)
    with pytest.raises(NoResolution, match=r"TIFF tags: 352\.8 µm, which is implausible"):
        open_slide(path)
    with opened(path, mpp=0.5) as reader:
        assert reader.info.resolution == Resolution(0.5, 0.5, "--mpp")


def test_a_slide_larger_than_any_glass_is_refused(tmp_path: Path) -> None:
    empty = np.full((256, 20_000, 3), 240, np.uint8)
    with pytest.raises(ResolutionContradictory, match="380 × 5 mm"):
        open_slide(write_pyramid(tmp_path / "slide.tiff", empty, um_per_px=19), readers=1)


def test_equal_content_has_an_equal_hash(tmp_path: Path, picture: Pixels) -> None:
    first = write_svs(tmp_path / "first.svs", picture)
    second, other = tmp_path / "second.svs", tmp_path / "other.svs"
    second.write_bytes(first.read_bytes())
    other.write_bytes(first.read_bytes())
    damage(other, 3)
    hashes = []
    for path in (first, second, other):
        with opened(path) as reader:
            hashes.append(reader.info.content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


REAL_SLIDES = {
    "cmu-1-small-region.svs": (2220, 2967, "aperio metadata", 0.499),
    "cmu-1-dicom": (2220, 2967, "dicom metadata", 0.499),
    "osp-small.svs": (16, 16, "aperio metadata", 0.499),
    "osp-boxes_0.dcm": (16, 16, "dicom metadata", 0.499),
    "osp-boxes_1.dcm": (16, 16, "dicom metadata", 0.499),
}


@pytest.mark.parametrize("name", REAL_SLIDES)
def test_real_slides_open(name: str) -> None:
    width, height, source, um = REAL_SLIDES[name]
    with opened(SLIDES / name) as reader:
        assert reader.info.size == (width, height)
        assert reader.info.resolution == Resolution(um, um, source)
        assert reader.read(Area(0, 0, 16, 16), (16, 16))[..., 3].min() == 255


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("tcga-cr-7395.svs", NoResolution),
        ("osp-boxes.tiff", NoResolution),
        ("li-yb10kx5k.zstd.tiff", NoResolution),
        ("li-small_la.tiff", NoResolution),
        ("osp-unopenable.tiff", SlideUnsupported),
    ],
)
def test_real_slides_are_refused(name: str, error: type[SlideError]) -> None:
    with pytest.raises(error):
        open_slide(SLIDES / name, readers=1)


def test_a_real_slide_that_cannot_be_read_opens_and_says_so() -> None:
    with opened(SLIDES / "osp-unreadable.svs") as reader:
        with pytest.raises(AreaUnreadable, match="marker"):
            reader.read(Area(0, 0, 16, 16), (16, 16))
        assert reader.overview(8).unreadable.all()


def test_a_real_fluorescence_slide_is_refused() -> None:
    with opened(SLIDES / "slideio-dapi.ndpi") as reader, pytest.raises(NotBrightfield):
        tissue_mask(reader)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", EmptyFile), (b"dear colleague", NotASlide), (None, FileNotReadable)],
)
def test_what_is_no_slide_is_refused(
    tmp_path: Path, content: bytes | None, error: type[HealerError]
) -> None:
    path = tmp_path / "slide.svs"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(error):
        open_slide(path, readers=1)


# In tenths of the file; where the list of pictures is whole, what lies before it is read.
OPENS = {
    "cmu-1-small-region.svs": {7, 8, 9},
    "slideio-dapi.ndpi": set[int](),
    "li-yb10kx5k.zstd.tiff": {7, 8},
}


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("name", OPENS)
def test_a_truncated_slide_is_refused_or_read_in_part(
    tmp_path: Path, name: str, tenths: int
) -> None:
    content = (SLIDES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) * tenths // 10])
    if tenths not in OPENS[name]:
        with pytest.raises(SlideDamaged):
            open_slide_file(path, "raw")
        return
    with closing(open_slide_file(path, "raw")) as file:
        assert read_area(file, Area(0, 0, 512, 512), (64, 64))[..., 3].max() == 255


def test_of_an_mrxs_what_the_scanner_left_out_is_not_scanned(
    tmp_path: Path, picture: Pixels
) -> None:
    with opened(write_mrxs(tmp_path / "CANARY-Name.mrxs", picture)) as reader:
        bounds = reader.info.bounds
        assert bounds != Area(0, 0, *reader.info.size)
        assert reader.read(Area(bounds.x, bounds.y, 64, 64), (64, 64))[..., 3].min() == 255
        outside = Area(bounds.right + 1, bounds.bottom + 1, 64, 64)
        assert reader.read(outside, (64, 64))[..., 3].max() == 0
        assert "CANARY" not in repr(reader.info)
