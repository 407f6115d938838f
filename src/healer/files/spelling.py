r"""Paths in every spelling that lists come with, and the files that they mean.

A name that is no UTF-8 reaches Python with lone surrogates (PEP 383) and opens its file as it is.
What is written for others is escaped: byte FF becomes the four characters `\xff`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

SURROGATES = re.compile("[\ud800-\udfff]")


def escaped(text: str) -> str:
    """`text` as UTF-8 can hold it; unchanged where it can."""
    return SURROGATES.sub(lambda found: _escape(found[0]), text)


def json_safe(document: str) -> str:
    r"""JSON that UTF-8 can hold: a lone surrogate is written `\udcff`, as JSON escapes it, and
    comes back as it was."""
    return document.encode("utf-8", "backslashreplace").decode()


def to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def from_bytes(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _escape(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def canonical(name: str) -> str:
    """Without `.`, empty parts and a slash at the end; `..` stays, because links may stand before
    it."""
    root = "/" if name.startswith("/") else ""
    return root + "/".join(part for part in name.split("/") if part not in ("", "."))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", escaped(name))


def _from_windows(name: str) -> str:
    """A name of bytes that are no UTF-8 as an older Windows means them; else as it is."""
    if name.isascii() or escaped(name) == name:
        return name
    try:
        return unicodedata.normalize("NFC", to_bytes(name).decode("cp1252"))
    except UnicodeError:
        return name


def _caseless(name: str) -> str:
    return unicodedata.normalize("NFC", _composed(name).casefold())


class Spellings:
    """Names, and which of them another spelling means.

    A name is found as it is; else in the other form of Unicode, or escaped; else between Unicode
    and the bytes of an older Windows; else whatever its case. It must mean one name only.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._tables: dict[Callable[[str], str], dict[str, list[str]]] = {}

    def find(self, name: str) -> str | None:
        if name in self.names:
            return name
        for key in (_composed, _from_windows, _caseless):
            found = self._by(key).get(key(name), ())
            if len(found) == 1:
                return found[0]
        return None

    def _by(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        if key not in self._tables:
            table = defaultdict(list)
            for name in self.names:
                table[key(name)].append(name)
            self._tables[key] = dict(table)
        return self._tables[key]


def spellings_of(path: str) -> list[str]:
    r"""What a path in a list may mean, the likeliest first: `tumour\a.png` is one of Windows."""
    tries = [path, path.replace("\\", "/"), path.strip(), path.strip().replace("\\", "/")]
    return list(dict.fromkeys(filter(None, map(canonical, tries))))


class Resolver:
    """From paths as lists spell them to those on the disk, below `folder` or absolute.

    Each folder is listed once, which is quicker than a system call for each of its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[str, Spellings] = {}

    def find(self, path: str) -> str | None:
        """None where nothing there can be meant."""
        if "\0" in path:
            return None
        tries = spellings_of(path)
        for name in tries:
            parent, slash, file = name.rpartition("/")
            if file in self._in(parent or slash).names:
                return name
        found = next((each for name in tries if (each := self._descend(name))), None)
        return found or next(filter(self._is_there, tries), None)

    def _is_there(self, name: str) -> bool:
        """For folders that may be entered but not listed."""
        return os.path.lexists(self._folder / name)

    def _descend(self, name: str) -> str | None:
        """Part by part, each in any spelling."""
        at = "/" if name.startswith("/") else ""
        for part in filter(None, name.split("/")):
            found = part if part == ".." else self._in(at).find(part)
            if found is None:
                return None
            at = os.path.join(at, found)  # noqa: PTH118 - text, of which there are many
        return at

    def _in(self, folder: str) -> Spellings:
        if folder not in self._listed:
            try:
                self._listed[folder] = Spellings(os.listdir(self._folder / folder))  # noqa: PTH208
            except OSError:
                self._listed[folder] = Spellings(())
        return self._listed[folder]
