from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from healer.errors.slides import (
    FolderWithoutSlides,
    ListedScaleUnusable,
    ListedWithoutPath,
    SlideListedTwice,
    SlideListUnreadable,
)
from healer.slides.listing import list_slides


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_folders_are_walked_for_slides_and_files_taken_as_they_are(tmp_path: Path) -> None:
    put(tmp_path / "a", "x.svs", "deep/y.NDPI", "notes.txt", "z.tiff")
    put(tmp_path, "odd.bin")
    listing = list_slides([tmp_path / "a", tmp_path / "odd.bin"])
    assert [slide.name for slide in listing.slides] == ["y", "x", "z", "odd"]
    assert "1 file in another format" in listing.notes[0]


def test_a_list_gives_paths_scales_labels_and_cases(tmp_path: Path) -> None:
    put(tmp_path, "a.svs", "sub/b.svs")
    (tmp_path / "list.csv").write_text(
        "path,mpp,label,case_id\na.svs,0.25,cancer,p1\nsub\\b.svs,,normal,p2\n", encoding="utf-8"
    )
    first, second = list_slides([tmp_path / "list.csv"]).slides
    assert (first.path, first.mpp) == (tmp_path / "a.svs", 0.25)
    assert (second.path, second.mpp) == (tmp_path / "sub" / "b.svs", None)
    assert (second.label, second.case) == ("normal", "p2")


def test_slides_of_one_name_have_folders_of_their_own_that_stay(tmp_path: Path) -> None:
    put(tmp_path, "a/biopsy.svs", "b/biopsy.svs", "c/other.svs")
    names = [slide.name for slide in list_slides([tmp_path]).slides]
    assert len(set(names)) == 3
    assert "other" in names
    put(tmp_path, "d/biopsy.svs")
    assert set(names) <= {slide.name for slide in list_slides([tmp_path]).slides}


def test_a_slide_that_is_named_twice_is_answered_once(tmp_path: Path) -> None:
    put(tmp_path, "a.svs")
    assert len(list_slides([tmp_path / "a.svs", tmp_path]).slides) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("slide\na.svs\n", "it has no column path"),
        ("path,mpp\n,\n", "it lists no slide"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SlideListUnreadable, match=reason):
        list_slides([tmp_path / "list.csv"])


def test_a_row_without_a_path_costs_the_others_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a.svs")
    (tmp_path / "list.csv").write_text("path,mpp\n,0.5\n,\na.svs,0.5\n", encoding="utf-8")
    bad, good = list_slides([tmp_path / "list.csv"]).slides
    assert (good.path, good.error) == (tmp_path / "a.svs", None)
    assert bad.name == "list, line 2"
    assert isinstance(bad.error, ListedWithoutPath)
    assert "Line 2 of list.csv" in str(bad.error)


@pytest.mark.parametrize(
    ("written", "reason"),
    [("forty", "no number"), *((each, "not from 0.05 to 20") for each in ("nan", "-1", "500"))],
)
def test_a_scale_that_cannot_be_is_its_own_row_s_error(
    tmp_path: Path, written: str, reason: str
) -> None:
    put(tmp_path, "a.svs", "b.svs")
    (tmp_path / "list.csv").write_text(f"path,mpp\na.svs,{written}\nb.svs,0.5\n", encoding="utf-8")
    bad, good = list_slides([tmp_path / "list.csv"]).slides
    assert (good.mpp, good.error) == (0.5, None)
    assert isinstance(bad.error, ListedScaleUnusable)
    assert f"Line 2 of list.csv has {written}" in str(bad.error)
    assert reason in str(bad.error)


def test_one_slide_under_several_names_is_one_with_all_that_is_said_of_it(tmp_path: Path) -> None:
    put(tmp_path, "a.svs", "b.svs")
    (tmp_path / "link.svs").symlink_to("a.svs")
    rows = "path,mpp,label\n./a.svs,0.25,\nlink.svs,,cancer\nb.svs,0.25,\nb.svs,0.5,\n"
    (tmp_path / "list.csv").write_text(rows, encoding="utf-8")
    listing = list_slides([tmp_path / "list.csv"])
    same, torn = listing.slides
    assert (same.name, same.mpp, same.label, same.error) == ("a", 0.25, "cancer", None)
    assert isinstance(torn.error, SlideListedTwice)
    assert "mpp (0.25 and 0.5)" in str(torn.error)
    assert listing.notes == ("2 paths named a slide again; each is answered once.",)


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SlideListUnreadable):
        list_slides([tmp_path / "absent.csv"])


def test_an_empty_folder_costs_the_other_slides_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.svs").touch()
    empty, slide = list_slides([tmp_path / "empty", tmp_path / "a.svs"]).slides
    assert (empty.name, slide.name, slide.error) == ("empty", "a", None)
    assert isinstance(empty.error, FolderWithoutSlides)


def test_the_files_of_one_dicom_series_are_one_slide(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "slides" / "cmu-1-dicom"
    if not source.is_dir():
        pytest.skip("no DICOM series here")
    for file in source.iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    (slide,) = list_slides([tmp_path]).slides
    assert slide.name == tmp_path.name
    first, second, *_ = sorted(tmp_path.glob("*.dcm"))
    assert len(list_slides([first, second]).slides) == 1
