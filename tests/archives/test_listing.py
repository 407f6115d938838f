from __future__ import annotations

from pathlib import Path

import pytest

from healer.archives import listing
from healer.errors import ListingUnreadable
from healer.outcomes import Embedded
from tests.archives.tiles import folder_of, index_of, parquet_of, picture


def test_a_folder_is_its_pictures_in_name_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles", 3)
    (folder / "deep").mkdir()
    (folder / "deep" / "a.JPG").touch()
    (folder / "notes.txt").touch()
    found = listing.read(folder)
    assert found.names == ["0000.png", "0001.png", "0002.png", "deep/a.JPG"]
    assert list(found.source.tiles(2, found.names[2:])) == [
        folder / "0002.png",
        folder / "deep" / "a.JPG",
    ]


def test_a_csv_names_tiles_beside_it_or_anywhere_and_may_repeat_them(tmp_path: Path) -> None:
    found = listing.read(index_of(tmp_path / "a.csv", ["b.png", "/elsewhere/c.png", "b.png"]))
    assert found.names == ["b.png", "/elsewhere/c.png", "b.png"]
    assert list(found.source.tiles(1, found.names[1:])) == [
        Path("/elsewhere/c.png"),
        tmp_path / "b.png",
    ]


def test_a_parquet_file_of_names(tmp_path: Path) -> None:
    found = listing.read(parquet_of(tmp_path / "a.parquet", {"file": ["x.png"], "label": [1]}))
    assert found.names == ["x.png"]
    assert list(found.source.tiles(0, found.names)) == [tmp_path / "x.png"]


@pytest.mark.parametrize("group", [7, 100, 1000])
def test_a_parquet_file_of_pictures_is_read_by_row_across_row_groups(
    tmp_path: Path, group: int
) -> None:
    pictures: list[object] = [f"{at}".encode() for at in range(300)]
    found = listing.read(parquet_of(tmp_path / "a.parquet", {"image": pictures}, group))
    assert found.names == [""] * 300
    for start, stop in ((0, 64), (63, 130), (295, 300), (99, 100)):
        tiles = list(found.source.tiles(start, found.names[start:stop]))
        assert [tile.data for tile in tiles if isinstance(tile, Embedded)] == pictures[start:stop]


def test_pictures_as_published_datasets_keep_them(tmp_path: Path) -> None:
    rows: list[object] = [{"bytes": picture(9), "path": "a.png"}, {"bytes": None, "path": None}]
    found = listing.read(parquet_of(tmp_path / "a.parquet", {"image": rows}))
    assert found.names == ["a.png", ""]
    assert list(found.source.tiles(0, found.names)) == [
        Embedded(Path("a.png"), picture(9)),
        Embedded(Path(), b""),
    ]


def test_a_fingerprint_changes_with_names_and_their_order(tmp_path: Path) -> None:
    lists = (["a", "b"], ["b", "a"], ["a", "b", "b"], ["ab"])
    prints = {listing.read(index_of(tmp_path / "a.csv", names)).fingerprint for names in lists}
    assert len(prints) == len(lists)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"label\nx\n", "no column path"),
        ("a.csv", b"path,label\na.png,x\n,y\n", "line 3 has no path"),
        ("a.csv", b"path\n\xff\xfe\n", "damaged: UnicodeDecodeError"),
        ("a.csv", b"path\n", "no tiles"),
        ("a.parquet", b"PAR1 but not really", "damaged: ArrowInvalid"),
        ("a.txt", b"", "neither"),
    ],
)
def test_what_is_no_list_is_said(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ListingUnreadable, match=reason):
        listing.read(tmp_path / name)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ListingUnreadable, match="not there"):
        listing.read(tmp_path / "absent")
    with pytest.raises(ListingUnreadable, match="no tiles"):
        listing.read(tmp_path)


def test_names_that_no_parquet_file_can_hold_are_said_by_row(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles", 1)
    (folder / "\udcff.png").touch()
    with pytest.raises(ListingUnreadable, match="row 1 is not UTF-8") as caught:
        listing.read(folder)
    assert caught.value.source == "tiles"
