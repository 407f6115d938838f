"""A DICOM series opens whole from any of its files, and says which of them are missing."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pydicom
import pytest

from healer.errors.slides import NotASlide, NotBrightfield, SlideSeriesIncomplete, SlideUnsupported
from healer.slides import members
from healer.slides.formats import open_slide_file
from healer.slides.members import Members
from healer.slides.reader import Area
from healer.slides.slide_file import read_area
from tests.slides.glass import SLIDES

SERIES = SLIDES / "cmu-1-dicom"
SVS = SLIDES / "cmu-1-small-region.svs"
BASE = "level-0-frames-0-30.dcm"
ONE_FILE = SLIDES / "osp-boxes_0.dcm"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    shutil.copytree(SERIES, folder)
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


def opened_size(path: Path) -> tuple[int, int]:
    slide = Members(path)
    try:
        with closing(open_slide_file(slide.path, "raw")) as file:
            return file.levels[0].width, file.levels[0].height
    finally:
        slide.close()


@pytest.mark.parametrize("member", [".", BASE, "level-3-frames-0-1.dcm", "level-11-frames-0-1.dcm"])
def test_any_member_opens_the_whole_series(member: str) -> None:
    assert opened_size(SERIES / member) == (2220, 2967)


def test_its_colours_are_those_of_the_same_slide_as_svs() -> None:
    """Its header says RGB, and its JPEGs hold YCbCr."""
    slide, area, size = Members(SERIES), Area(0, 0, 2220, 2967), (222, 297)
    try:
        with (
            closing(open_slide_file(slide.path, "raw")) as dicom,
            closing(open_slide_file(SVS, "raw")) as svs,
        ):
            difference = read_area(dicom, area, size).astype(int) - read_area(svs, area, size)
    finally:
        slide.close()
    assert np.abs(difference).mean() < 8  # it was compressed again; red glass would differ by 60


def test_a_series_without_its_finest_level_is_incomplete(series: Path) -> None:
    (series / BASE).unlink()
    with pytest.raises(SlideSeriesIncomplete, match=r"the finest level.* 1,110 × 1,483 pixels"):
        opened_size(series)


def test_a_level_that_lacks_tiles_is_named(series: Path) -> None:
    place = series / "level-1-frames-0-9.dcm"
    header = pydicom.dcmread(place)
    header.NumberOfFrames = 7
    header.save_as(place)
    with pytest.raises(SlideSeriesIncomplete, match="2 of the 9 tiles of the level of 1,110"):
        opened_size(series)


def test_a_level_of_which_files_are_missing_is_named(series: Path) -> None:
    header = pydicom.dcmread(series / BASE)
    header.ConcatenationUID, header.InConcatenationTotalNumber = "1.2.3", 3
    header.save_as(series / BASE)
    with pytest.raises(SlideSeriesIncomplete, match="2 of the 3 files of the level of 2,220"):
        opened_size(series)


def test_links_that_loop_and_other_files_are_passed_over(series: Path) -> None:
    (series / "loop.dcm").symlink_to(series / "loop.dcm")
    (series / "around").symlink_to(series)
    (series / "notes.txt").write_text("no DICOM")
    assert opened_size(series) == (2220, 2967)


def test_a_folder_without_dicom_is_no_slide(tmp_path: Path) -> None:
    with pytest.raises(NotASlide):
        Members(tmp_path)


def test_a_folder_of_too_many_files_is_refused(
    series: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MOST_MEMBERS", 5)
    with pytest.raises(SlideUnsupported, match="one of 11 files"):
        Members(series)


def test_epifluorescence_is_refused(tmp_path: Path) -> None:
    header = pydicom.dcmread(ONE_FILE)
    code = header.OpticalPathSequence[0].IlluminationTypeCodeSequence[0]
    code.CodeValue, code.CodeMeaning = "111743", "Epifluorescence illumination"
    path = tmp_path / "slide.dcm"
    header.save_as(path)
    with pytest.raises(NotBrightfield, match="epifluorescence"):
        open_slide_file(path, "raw")
