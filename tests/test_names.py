from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from healer.display import printable, shortened


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tumour/a b.png", "tumour/a b.png"),
        ("Schleimhaut größer.png", "Schleimhaut größer.png"),
        ("腸.png", "腸.png"),
        ("two\nlines\t.png", r"two\nlines\t.png"),
        ("\x1b[2Jcleared.png", r"\x1b[2Jcleared.png"),
        ("\x9b31mred.png", r"\x9b31mred.png"),
        ("gnp.\u202egnp.exe", r"gnp.\u202egnp.exe"),
        ("zero\u200bwidth.png", r"zero\u200bwidth.png"),
        ("10.00\u202fAM.png", "10.00\u202fAM.png"),  # as macOS names its screenshots
        (os.fsdecode(b"f\xe4rbung.png"), r"f\xe4rbung.png"),
        ("half\ud83d.png", r"half\ud83d.png"),
    ],
)
def test_a_name_is_printed_on_one_line_whatever_it_holds(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert printable(Path(name)) == shown
    shown.encode()  # and can be


@pytest.mark.parametrize("width", [1, 2, 10, 21, 40])
@pytest.mark.parametrize(
    "name",
    ["kather2016/tumour/1A11_CRC-Prim-HE-07.tif", "腸粘膜生検標本第一切片第二視野.png", "a.png"],
)
def test_a_long_name_loses_its_middle(name: str, width: int) -> None:
    cut = shortened(name, width)
    assert cell_len(cut) <= width
    if cell_len(name) <= width:
        assert cut == name
    else:
        head, tail = cut.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert cell_len(cut) >= width - 1  # a wide character may not fit the last column


def test_the_end_of_a_name_says_most() -> None:
    assert shortened("tumour/kather2016-1A11-row-0001.png", 24) == "tumour/…A11-row-0001.png"
