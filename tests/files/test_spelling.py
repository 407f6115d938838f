from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.files.spelling import Resolver, Spellings

NFC = unicodedata.normalize("NFC", "Adénome/é.png")
NFD = unicodedata.normalize("NFD", "Adénome/é.png")


def put(folder: Path, *names: str) -> Resolver:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Resolver(folder)


@pytest.mark.parametrize(
    ("there", "listed"),
    [
        ("tumour/a.png", "tumour/a.png"),
        ("tumour/a.png", "./tumour//a.png"),
        ("tumour/a.png", "tumour/./a.png"),
        ("tumour/a.png", "tumour\\a.png"),
        ("tumour/a.png", ".\\tumour\\a.png"),
        ("tumour/a.png", " tumour/a.png "),
        ("tumour/a.png", "Tumour\\A.PNG"),
        ("a\\b.png", "a\\b.png"),
        (" a.png", " a.png"),
        (NFC, NFD),
        (NFD, NFC),
        (NFD, NFC.replace("/", "\\")),
        ("M\udcfcller/\udcff.png", "M\udcfcller/\udcff.png"),
        ("M\udcfcller/\udcff.png", r"M\xfcller/\xff.png"),
        ("M\udcfcller/\udce9.png", "Müller/é.png"),
        ("Müller/é.png", "M\udcfcller/\udce9.png"),
    ],
)
def test_a_listed_path_is_found_in_every_spelling(tmp_path: Path, there: str, listed: str) -> None:
    assert put(tmp_path, there, "tumour/b.png").find(listed) == there


def test_absolute_paths_and_those_that_go_up_stay_so(tmp_path: Path) -> None:
    resolver = put(tmp_path / "lists", "a.png")
    put(tmp_path, "tiles/b.png", "tiles/É.png")
    assert resolver.find(str(tmp_path / "tiles" / "b.png")) == str(tmp_path / "tiles" / "b.png")
    assert resolver.find(str(tmp_path / "TILES" / "b.png")) == str(tmp_path / "tiles" / "b.png")
    assert resolver.find("../tiles/b.png") == "../tiles/b.png"
    assert resolver.find("..\\tiles\\E\u0301.png") == "../tiles/É.png"


@pytest.mark.parametrize(
    "listed", ["", "c.png", "tumour", "x/../../../..", "a\0.png", "A.png", "n" * 5000, "C:\\a.png"]
)
def test_what_is_not_there_or_could_be_two_is_not_found(tmp_path: Path, listed: str) -> None:
    resolver = put(tmp_path, "tiles/a.png", "a.PNG", "a.Png")
    assert resolver.find(listed) is None or (tmp_path / listed).exists()
    assert resolver.find("A.png") is None


PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=6)


@settings(deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=3), st.sampled_from(["NFC", "NFD"]), st.booleans())
def test_any_path_is_found_in_any_spelling(
    parts: list[str], form: Literal["NFC", "NFD"], windows: bool
) -> None:
    """`..` and names at the limit of 255 bytes aside."""
    path = "/".join(parts)
    if {".", ".."} & set(parts) or path != path.strip():
        return
    with tempfile.TemporaryDirectory() as place:
        resolver = put(Path(place), path)
        listed = unicodedata.normalize(form, path)
        assert resolver.find(path) == path
        assert resolver.find(f"./{listed}") == path
        assert resolver.find(listed.replace("/", "\\") if windows else listed) == path


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{at % 3}/{at}.png" for at in range(60)]
    resolver = put(tmp_path, *names)
    listed: list[Path] = []
    list_folder = os.listdir

    def counting(folder: Path) -> list[str]:
        listed.append(folder)
        return list_folder(folder)

    monkeypatch.setattr(os, "listdir", counting)
    assert [resolver.find(name) for name in names] == names
    assert len(listed) == 3


def test_spellings_find_only_what_one_name_can_mean() -> None:
    names = Spellings(["É.png", "E\u0301.png", "a.png", "A.PNG", "b.png"])
    assert names.find("É.png") == "É.png"
    assert names.find("E\u0301.png") == "E\u0301.png"
    assert names.find("a.Png") is None
    assert names.find("B.png") == "b.png"
