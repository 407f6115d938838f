"""Shares and file names as a person reads them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from rich.cells import cell_len


def percent(share: float, places: int = 0) -> str:
    """A share of 0.363 as "36 %"."""
    return f"{share * 100:.{places}f} %"


def rough_percent(share: float) -> str:
    """As `percent`, where neither nothing nor all may be claimed."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else percent(share)


def distinct_percents(*shares: float) -> list[str]:
    """In as few digits as keep different neighbours different."""
    for places in range(4):
        shown = [percent(share, places) for share in shares]
        pairs = zip(shares, shares[1:], shown, shown[1:], strict=False)
        if all(one == other or text != next_ for one, other, text, next_ in pairs):
            break
    return shown


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
