from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from healer.batch.listing import read_listing
from healer.errors import ListingUnreadable
from healer.outcomes import Embedded
from tests.batch.tiles import folder_of, index_of, parquet_of, picture


def test_a_folder_is_its_pictures_in_name_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles", 3)
    (folder / "deep").mkdir()
    (folder / "deep" / "a.JPG").touch()
    (folder / "notes.txt").touch()
    found = read_listing(folder)
    assert found.names == ["0000.png", "0001.png", "0002.png", "deep/a.JPG"]
    assert list(found.source.tiles(2, found.names[2:])) == [
        folder / "0002.png",
        folder / "deep" / "a.JPG",
    ]


def test_a_csv_names_tiles_beside_it_or_anywhere_and_may_repeat_them(tmp_path: Path) -> None:
    found = read_listing(index_of(tmp_path / "a.csv", ["b.png", "/elsewhere/c.png", "b.png"]))
    assert found.names == ["b.png", "/elsewhere/c.png", "b.png"]
    assert list(found.source.tiles(1, found.names[1:])) == [
        Path("/elsewhere/c.png"),
        tmp_path / "b.png",
    ]


def test_a_parquet_file_of_names(tmp_path: Path) -> None:
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"file": ["x.png"], "label": [1]}))
    assert found.names == ["x.png"]
    assert list(found.source.tiles(0, found.names)) == [tmp_path / "x.png"]


@pytest.mark.parametrize("group", [7, 100, 1000])
def test_a_parquet_file_of_pictures_is_read_by_row_across_row_groups(
    tmp_path: Path, group: int
) -> None:
    pictures: list[object] = [f"{at}".encode() for at in range(300)]
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"image": pictures}, group))
    assert found.names == [""] * 300
    for start, stop in ((0, 64), (63, 130), (295, 300), (99, 100)):
        tiles = list(found.source.tiles(start, found.names[start:stop]))
        assert [tile.data for tile in tiles if isinstance(tile, Embedded)] == pictures[start:stop]


def test_pictures_as_published_datasets_keep_them(tmp_path: Path) -> None:
    rows: list[object] = [{"bytes": picture(9), "path": "a.png"}, {"bytes": None, "path": None}]
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"image": rows}))
    assert found.names == ["a.png", ""]
    assert list(found.source.tiles(0, found.names)) == [
        Embedded(Path("a.png"), picture(9)),
        Embedded(Path(), b""),
    ]


def test_a_fingerprint_changes_with_names_and_their_order(tmp_path: Path) -> None:
    lists = (["a", "b"], ["b", "a"], ["a", "b", "b"], ["ab"])
    prints = {read_listing(index_of(tmp_path / "a.csv", names)).fingerprint for names in lists}
    assert len(prints) == len(lists)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"label\nx\n", "no column path"),
        ("a.csv", b"path,label\na.png,x\n,y\n", "line 3 has no path"),
        ("a.csv", b"path\n" + b"a" * 200_000, "field larger than field limit"),
        ("a.csv", b"path,Path\na.png,b.png\n", "two columns path"),
        ("a.csv", b"path\n", "no tiles"),
        ("a.parquet", b"PAR1 but not really", "damaged: ArrowInvalid"),
        ("a.txt", b"", "neither"),
    ],
)
def test_what_is_no_list_is_reported(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ListingUnreadable, match=reason):
        read_listing(tmp_path / name)


def test_what_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ListingUnreadable, match="not there"):
        read_listing(tmp_path / "absent")
    with pytest.raises(ListingUnreadable, match="no tiles"):
        read_listing(tmp_path)


def test_names_that_are_no_utf_8_are_tiles_like_others(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles\udcff", 1)
    (folder / "\udcff.png").touch()
    found = read_listing(folder)
    assert found.names == ["0000.png", "\udcff.png"]
    assert list(found.source.tiles(0, found.names))[1] == folder / "\udcff.png"
    assert found.fingerprint != read_listing(folder_of(tmp_path / "others", 2)).fingerprint
    (tmp_path / "a.csv").write_bytes(b"path\ntiles\xff/\xff.png\n")
    assert read_listing(tmp_path / "a.csv").names == ["tiles\udcff/\udcff.png"]


def test_what_a_folder_holds_beside_tiles_is_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles", 2)
    for name in (".Trash-1000/old.png", "@eaDir/thumb.jpg", "._0000.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = read_listing(folder)
    assert found.names == ["0000.png", "0001.png"]
    assert found.left_out.as_json() == {"hidden": 2, "system": 1, "other_format": 1}
    assert [note[:46] for note in found.notes()] == [
        "Left out: 2 hidden files, 2 of them pictures ("
    ]
    (folder / "0000.png").unlink()
    (folder / "0001.png").unlink()
    with pytest.raises(ListingUnreadable, match=r"no tiles\. Left out: 2 hidden files"):
        read_listing(folder)


def test_listed_paths_are_those_on_the_disk_or_counted(tmp_path: Path) -> None:
    folder_of(tmp_path / "tumour", 2)
    (tmp_path / "tumour" / "\u00e9.png").touch()
    written = ["tumour\\0000.png", "./tumour/0001.png", "tumour/e\u0301.png", "tumour\\2.png"]
    there = ["tumour/0000.png", "tumour/0001.png", "tumour/\u00e9.png", "tumour\\2.png"]
    for found in (
        read_listing(index_of(tmp_path / "a.csv", written)),
        read_listing(parquet_of(tmp_path / "a.parquet", {"Path": [*written]})),
    ):
        assert found.names == there
        assert found.missing == ["tumour\\2.png"]
        assert list(found.notes()) == [
            "1 of 4 listed paths name no file there (tumour\\2.png).",
        ]


@pytest.mark.parametrize("heading", ["Path,Label", "path, label", " FILE ;Label", "\ufeffPath\tx"])
def test_headings_in_any_case_and_with_spaces(tmp_path: Path, heading: str) -> None:
    row = heading.replace("\ufeff", "").lower().replace("path", "a.png").replace("file", "a.png")
    (tmp_path / "a.csv").write_text(f"{heading}\n{row}\n", encoding="utf-8")
    assert [name.strip() for name in read_listing(tmp_path / "a.csv").names] == ["a.png"]


@pytest.mark.parametrize(
    ("column", "there"),
    [
        (pa.array(["a.png"]), "string"),
        (pa.array([[1, 2, 3]]), "list<"),
        (pa.array([1.5]), "double"),
        (pa.array([{"data": b"1"}]), "struct<data: binary>"),
        (pa.array([{"bytes": [1, 2], "path": "a.png"}]), "struct<bytes: list<"),
        (pa.array([{"bytes": b"1", "path": 4}]), "struct<bytes: binary, path: int64>"),
        (pa.array([[b"1"]]), "list<"),
    ],
)
def test_a_column_that_holds_no_pictures_is_reported_once_when_listing(
    tmp_path: Path, column: pa.Array, there: str
) -> None:
    file = parquet_of(tmp_path / "a.parquet", {"image": column, "path": ["a.png"]})
    with pytest.raises(ListingUnreadable) as caught:
        read_listing(file)
    assert f"its column image holds {there}" in str(caught.value)
    assert "expected there is encoded pictures: binary, or a struct with the field bytes" in str(
        caught.value
    )


def test_a_column_that_holds_no_text_is_reported_too(tmp_path: Path) -> None:
    with pytest.raises(ListingUnreadable, match="column path holds int64, and what is expected"):
        read_listing(parquet_of(tmp_path / "a.parquet", {"path": [1, 2]}))


PICTURE = b"\x89PNG"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([PICTURE], pa.large_binary()),
        pa.array([PICTURE], pa.binary(4)),
        pa.array([PICTURE], pa.binary_view()),
        pa.array([PICTURE]).dictionary_encode(),
        pa.array([{"bytes": PICTURE}]),
        pa.array([{"bytes": PICTURE, "path": None}]),
        pa.array([{"path": b"a.png", "bytes": PICTURE, "more": 1}]),
    ],
)
def test_pictures_in_every_type_that_holds_bytes(tmp_path: Path, column: pa.Array) -> None:
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"Image": column}))
    (tile,) = found.source.tiles(0, found.names)
    assert isinstance(tile, Embedded)
    assert tile.data == PICTURE


def test_a_picture_without_bytes_is_read_from_its_path(tmp_path: Path) -> None:
    folder_of(tmp_path / "tiles", 1)
    rows: list[object] = [
        {"bytes": None, "path": "tiles\\0000.png"},
        {"bytes": PICTURE, "path": "tiles/0000.png"},
        {"bytes": None, "path": "gone.png"},
        None,
    ]
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"image": rows}))
    assert list(found.source.tiles(0, found.names)) == [
        tmp_path / "tiles" / "0000.png",
        Embedded(Path("tiles/0000.png"), PICTURE),
        tmp_path / "gone.png",
        Embedded(Path(), b""),
    ]


def test_pictures_of_paths_alone_are_a_list_of_names(tmp_path: Path) -> None:
    folder_of(tmp_path / "tiles", 2)
    rows: list[object] = [{"path": "tiles/0000.png"}, {"path": "./tiles/0001.png"}]
    found = read_listing(parquet_of(tmp_path / "a.parquet", {"image": rows}))
    assert found.names == ["tiles/0000.png", "tiles/0001.png"]
    assert list(found.source.tiles(1, found.names[1:])) == [tmp_path / "tiles" / "0001.png"]
    with pytest.raises(ListingUnreadable, match=r"no text in its column image\.path"):
        read_listing(parquet_of(tmp_path / "a.parquet", {"image": [*rows, {"path": None}]}))


def test_names_in_parquet_that_are_no_utf_8(tmp_path: Path) -> None:
    """As binary, and as text that no writer should have written."""
    raw = pa.array([b"M\xfcller.png"])
    text = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
    struct = pa.StructArray.from_arrays([raw, text], ["bytes", "path"])
    place = tmp_path / "M\udcfcller"
    place.mkdir()
    for columns in ({"path": raw}, {"path": text}, {"image": struct}):
        file = place / "a.parquet"
        with file.open("wb") as stream:
            pq.write_table(pa.table(columns), stream)
        found = read_listing(file)
        assert found.names == ["M\udcfcller.png"]
        assert len(list(found.source.tiles(0, found.names))) == 1
