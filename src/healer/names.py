"""File names as they may be printed: whatever bytes they hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from rich.cells import cell_len

ELLIPSIS = "…"
FIRST_BYTE, LAST_BYTE = "\udc80", "\udcff"  # how Python holds a byte that is not UTF-8


def printable(name: str | PurePath) -> str:
    r"""The name on one line, able to move no cursor: `\n`, `\x1b`, `\u202e`, and `\xff` for a byte
    that is not UTF-8. For people; whatever reads it back needs the name itself."""
    text = str(name)
    return text if text.isprintable() else "".join(map(_escaped, text))


def examples(names: Sequence[str], most: int = 3) -> str:
    """The first few, for a sentence."""
    shown = [printable(name) for name in names[:most]]
    return ", ".join([*shown, *[ELLIPSIS] * (len(names) > most)])


def shortened(name: str, width: int) -> str:
    """At most `width` columns of a terminal, cut in the middle: names differ at their ends."""
    if cell_len(name) <= width:
        return name
    room = max(0, width - cell_len(ELLIPSIS))
    head = _fitting(name, room // 3)
    tail = _fitting(name[::-1], room - cell_len(head))[::-1]
    return f"{head}{ELLIPSIS}{tail}"


def _escaped(character: str) -> str:
    if FIRST_BYTE <= character <= LAST_BYTE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def _fitting(text: str, width: int) -> str:
    """As much of the start as is no wider."""
    taken = 0
    for at, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:at]
    return text
