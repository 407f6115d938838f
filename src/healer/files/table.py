"""CSV lists as spreadsheets and people write them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATHS = ("path", "file")
DELIMITERS = (",", ";", "\t")
REST = "\n"  # no column can be called so: headings are stripped
Cells = Mapping[str, str]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet knows one


def without_formula(text: str) -> str:
    """A text that begins like a formula would be run by a spreadsheet: it is quoted for it."""
    return f"'{text}" if text.startswith(FORMULA) and len(text) > 1 else text


def column_of(names: Sequence[str], candidates: Sequence[str] = PATHS) -> str | None:
    """The first of `candidates` among columns, whatever their case and spaces; as written there."""
    plain = {plain_header(name): name for name in reversed(names)}
    return next((plain[name] for name in candidates if name in plain), None)


def plain_header(name: str) -> str:
    return name.strip().casefold()


def read_heading(file: Path) -> list[str]:
    """The heading, in lower case and without spaces around each name. Raises as `read_rows`."""
    with _opened(file) as table:
        return list(table.fieldnames or ())


def read_rows(file: Path) -> Iterator[tuple[int, Cells]]:
    """Each row's line number and its cells by column; a cell that is absent is empty.

    Bytes that are no UTF-8 are kept as file names keep them. Raises OSError, csv.Error or
    UnicodeDecodeError.
    """
    with _opened(file) as table:
        for cells in table:
            rest: list[str] = cells.pop(REST, [])  # type: ignore[assignment]
            if any(map(str.strip, rest)):
                raise csv.Error(f"line {table.line_num} has more cells than there are columns")
            yield table.line_num, cells


@contextmanager
def _opened(file: Path) -> Iterator[csv.DictReader[str]]:
    with file.open(newline="", encoding=_encoding(file), errors="surrogateescape") as content:
        head = content.readline()
        content.seek(0)
        delimiter = _delimiter(head)
        table = csv.DictReader(
            content,
            delimiter=delimiter,
            skipinitialspace=f"{delimiter} " in head,
            restkey=REST,
            restval="",
        )
        names = [plain_header(name) for name in table.fieldnames or ()]
        if repeated := next((name for name in names if name and names.count(name) > 1), None):
            raise csv.Error(f"it has two columns {repeated}")
        table.fieldnames = names
        yield table


def _encoding(file: Path) -> str:
    """UTF-16 is what Excel calls Unicode text."""
    with file.open("rb") as content:
        start = content.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _delimiter(head: str) -> str:
    """The first under which the heading has a column for paths; a comma where none has."""
    for delimiter in DELIMITERS:
        names = next(csv.reader([head], delimiter=delimiter, skipinitialspace=True), [])
        if column_of(names):
            return delimiter
    return DELIMITERS[0]
