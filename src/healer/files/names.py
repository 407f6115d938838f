r"""Names of files in every spelling they come in.

A name that is no UTF-8 reaches Python with lone surrogates (PEP 383) and opens its file as it is.
What is written for others is escaped: byte FF becomes the four characters `\xff`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

SURROGATES = re.compile("[\ud800-\udfff]")
# Control characters, line ends, and marks that turn the direction of text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """`text` as UTF-8 can hold it; unchanged where it can."""
    return SURROGATES.sub(lambda found: _escape(found[0]), text)


def printable(text: str) -> str:
    """`text` on one line, without what would move a terminal's cursor or turn its text around."""
    safe = escaped(text)
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), safe)


def examples(names: Sequence[str], most: int = 3) -> str:
    """The first few names, for a sentence."""
    shown = [printable(name) for name in names[:most]]
    return ", ".join([*shown, *["…"] * (len(names) > most)])


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


def _caseless(name: str) -> str:
    return unicodedata.normalize("NFC", _composed(name).casefold())


class Spellings:
    """Names, and which of them another spelling means.

    A name is found as it is; else in the other form of Unicode, or escaped; else whatever its case,
    where only one is meant.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def find(self, name: str) -> str | None:
        if name in self.names:
            return name
        for found in (self._by_form.get(_composed(name)), self._by_case.get(_caseless(name))):
            if found and len(found) == 1:
                return found[0]
        return None

    @cached_property
    def _by_form(self) -> dict[str, list[str]]:
        table = defaultdict(list)
        for name in self.names:
            table[_composed(name)].append(name)
        return dict(table)

    @cached_property
    def _by_case(self) -> dict[str, list[str]]:
        table = defaultdict(list)
        for name in self.names:
            table[_caseless(name)].append(name)
        return dict(table)


def spellings_of(path: str) -> list[str]:
    r"""What a path in a list may mean, the likeliest first: `tumour\a.png` is one of Windows."""
    tries = [path, path.replace("\\", "/"), path.strip(), path.strip().replace("\\", "/")]
    return list(dict.fromkeys(filter(None, map(canonical, tries))))


class Resolver:
    """From paths as lists spell them to those on the disk, below `folder` or absolute.

    Each folder is listed once, which is quicker than asking for each of its files.
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
