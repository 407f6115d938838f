from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.files.walk import LeftOut, Reason, walk, walk_all


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in walk(folder).files]


def test_every_ending_healer_reads_in_any_case_in_name_order(tmp_path: Path) -> None:
    names = [f"{ending}/a.{ending}" for ending in ("BMP", "Jpeg", "jfif", "jpe", "jpg", "png")]
    names += ["tif/x.ome.tif", "tiff/a.TIFF", "webp/a.webp"]
    put(tmp_path, *reversed(names))
    assert found(tmp_path) == names
    assert not walk(tmp_path).left_out


HIDDEN = (
    *(".ipynb_checkpoints/a-checkpoint.png", ".Trash-1000/files/old.tif", "TUM/._a.png"),
    *(".git/HEAD", ".DS_Store", "TUM/.thumbnails/deep/er/x.jpg", ".hidden.png"),
)
SYSTEM = (
    *("TUM/@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg", "__MACOSX/TUM/a.png", "TUM/Thumbs.db"),
    *("$RECYCLE.BIN/S-1/$R1.tif", "#recycle/a.png", "lost+found/a.png", "Desktop.ini"),
)


@pytest.mark.parametrize("name", [*HIDDEN, *SYSTEM])
def test_what_nobody_meant_as_a_tile_is_left_out_and_counted(tmp_path: Path, name: str) -> None:
    put(tmp_path, "TUM/a.png", name)
    assert found(tmp_path) == ["TUM/a.png"]
    reason = Reason.HIDDEN if name in HIDDEN else Reason.SYSTEM
    assert walk(tmp_path).left_out.as_json() == {str(reason): 1}


def test_a_hidden_folder_that_is_named_is_walked(tmp_path: Path) -> None:
    put(tmp_path / ".cache" / "tiles", "a.png")
    assert found(tmp_path / ".cache") == ["tiles/a.png"]


def test_what_was_left_out_is_one_line_with_counts_by_reason(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.svs", "c.svs", "notes.txt", "README", "e.dcm", *HIDDEN)
    (tmp_path / "@eaDir").mkdir()
    put(tmp_path, "@eaDir/\udcff.png")
    output = str(walk(tmp_path).left_out)
    assert output.startswith("Left out: 7 hidden files, 5 of them pictures (")
    assert (
        ", …); 1 file of the system's own, a picture (@eaDir); 5 files in other formats (" in output
    )
    assert output.endswith(", …).")
    assert "\n" not in output
    assert str(LeftOut()) == ""


def test_examples_are_printable(tmp_path: Path) -> None:
    put(tmp_path, ".\udcff\x1b[2J")
    assert str(walk(tmp_path).left_out) == r"Left out: 1 hidden file (.\xff\x1b[2J)."


def test_a_folder_named_like_a_picture_is_no_tile_but_is_walked(tmp_path: Path) -> None:
    put(tmp_path, "slide.tif/0.png")
    assert found(tmp_path) == ["slide.tif/0.png"]
    (tmp_path / "empty.PNG").mkdir()
    assert found(tmp_path) == ["slide.tif/0.png"]


def test_linked_folders_are_followed_and_files_too(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "a.png", "deep/b.png")
    tiles = put(tmp_path / "tiles", "NORM/n.png")
    (tiles / "TUM").symlink_to(tmp_path / "elsewhere")
    (tiles / "NORM" / "m.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert found(tiles) == ["NORM/m.png", "NORM/n.png", "TUM/a.png", "TUM/deep/b.png"]
    assert not walk(tiles).left_out


def test_a_link_to_a_hidden_store_is_followed(tmp_path: Path) -> None:
    put(tmp_path, ".store/tum/a.png")
    (tmp_path / "TUM").symlink_to(".store/tum")
    assert found(tmp_path) == ["TUM/a.png"]
    assert walk(tmp_path).left_out.as_json() == {"hidden": 1}


@pytest.mark.parametrize("target", [".", "..", "../..", "/", "../tiles"])
def test_a_link_to_a_folder_around_it_is_no_way_out(tmp_path: Path, target: str) -> None:
    put(tmp_path, "other/no.png")
    tiles = put(tmp_path / "tiles", "deep/a.png")
    (tiles / "loop").symlink_to(target)
    assert found(tiles) == ["deep/a.png"]
    assert walk(tiles).left_out.as_json() == {"link_loop": 1}
    assert "(loop)" in str(walk(tiles).left_out)


def test_loops_that_pass_another_folder_end(tmp_path: Path) -> None:
    here, there = put(tmp_path / "here", "a.png"), put(tmp_path / "there", "b.png")
    (here / "to").symlink_to(there)
    (there / "back").symlink_to(here)
    assert found(here) == ["a.png", "to/b.png"]
    assert walk(here).left_out.as_json() == {"link_loop": 1}


def test_no_tile_comes_twice_through_links(tmp_path: Path) -> None:
    """Ten folders that each link to all the others: three million ways round."""
    for at in range(10):
        put(tmp_path, f"{at}/{at}.png")
        for other in range(10):
            if other != at:
                (tmp_path / f"{at}" / f"to-{other}").symlink_to(f"../{other}")
    assert found(tmp_path) == [f"{at}/{at}.png" for at in range(10)]
    assert walk(tmp_path).left_out.as_json() == {"linked_twice": 90}


def test_a_link_to_nothing_is_a_tile_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "round.png").symlink_to("round.png")
    assert found(tmp_path) == ["gone.png", "round.png"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert found(tmp_path) == []
    assert walk(tmp_path).left_out.as_json() == {"not_a_file": 1}


def test_a_folder_that_cannot_be_opened_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "shut/a.png", "b.png")
    scan = os.scandir

    def refusing(folder: Path) -> object:
        if folder.name == "shut":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert found(tmp_path) == ["b.png"]
    assert str(walk(tmp_path).left_out) == "Left out: 1 folder that cannot be opened (shut)."


def test_named_files_are_taken_as_they_are_and_folders_counted_together(tmp_path: Path) -> None:
    put(tmp_path, "one/.a.png", "one/b.png", "two/.c.png", "two/notes.txt")
    seen = walk_all([tmp_path / "two" / "notes.txt", tmp_path / "two", tmp_path / "one"])
    assert seen.files == [tmp_path / "two" / "notes.txt", tmp_path / "one" / "b.png"]
    assert seen.left_out.as_json() == {"hidden": 2, "other_format": 1}


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not {0, 0x2F} & set(name) and name not in (b".", b"..")
)
ENDINGS = st.sampled_from([b"", b".png", b".TIF", b".txt"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(NAMES, max_size=2), NAMES, ENDINGS), max_size=8))
def test_every_file_is_a_tile_or_is_counted(
    files: list[tuple[list[bytes], bytes, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        for folders, name, ending in files:
            path = Path(os.fsdecode(b"/".join([os.fsencode(place), *folders, name + ending])))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
        there = sum(len(names) for _, _, names in os.walk(place))
        seen = walk(Path(place))
        assert len(seen.files) + seen.left_out.counts.total() == there
        assert len(set(seen.files)) == len(seen.files)
        str(seen.left_out).encode()
