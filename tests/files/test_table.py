from __future__ import annotations

import csv
from pathlib import Path

import pytest

from healer.files.table import column_of, read_heading, read_rows


def table(folder: Path, content: bytes) -> list[dict[str, str]]:
    file = folder / "list.csv"
    file.write_bytes(content)
    return [dict(cells) for _, cells in read_rows(file)]


@pytest.mark.parametrize(
    "content",
    [
        "path,label\né.png,TUM\n",
        "Path,Label\né.png,TUM\n",
        "PATH , LABEL\r\né.png, TUM\r\n",
        "path, label\né.png, TUM\n",
        "\ufeffpath,label\né.png,TUM\n",
        "path;label\né.png;TUM\n",
        "path\tlabel\né.png\tTUM\n",
        '"path","label"\n"é.png","TUM"\n',
        "path,label,\né.png,TUM,,\n",
        "path,label\n\né.png,TUM\n\n",
    ],
)
def test_headings_and_cells_as_people_and_spreadsheets_write_them(
    tmp_path: Path, content: str
) -> None:
    for encoded in (content.encode(), content.removeprefix("\ufeff").encode("utf-16")):
        (row,) = table(tmp_path, encoded)
        assert (row["path"].strip(), row["label"].strip()) == ("é.png", "TUM")


def test_bytes_that_are_no_utf_8_survive_as_in_file_names(tmp_path: Path) -> None:
    assert table(tmp_path, b"path\nM\xfcller.png\n") == [{"path": "M\udcfcller.png"}]


def test_an_absent_cell_is_empty_and_lines_are_numbered(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text('path,label\na.png\n"b\nc.png",TUM\n')
    assert [(at, cells["path"], cells["label"]) for at, cells in read_rows(file)] == [
        (2, "a.png", ""),
        (4, "b\nc.png", "TUM"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"path,Path\na,b\n", "two columns path"),
        (b"path,label\na,b.png,TUM\n", "line 2 has more cells"),
    ],
)
def test_what_could_be_read_two_ways_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(csv.Error, match=reason):
        table(tmp_path, content)


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "list.csv").touch()
    assert read_heading(tmp_path / "list.csv") == []


def test_columns_are_known_whatever_their_case() -> None:
    assert column_of(["Label", " File ", "PATH"]) == "PATH"
    assert column_of(["label"]) is None
