"""Models that think aloud before they answer: their thoughts separated from their answer.

MedGemma 1.5 writes `<unused94>thought`, others `<think>`; where a server hides such marks, the bare
word `thought` on a line of its own remains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ENDS = {
    "<unused94>": "<unused95>",
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|channel>": "<channel|>",
    "<|channel|>analysis": "<|channel|>final<|message|>",
}
BEGINNING = re.compile("|".join(map(re.escape, sorted(ENDS, key=len, reverse=True))))
UNMARKED = "thought"
GEMMA = "<unused94>"


def empty_thought(tokenizer: Tokenizer, first: int) -> list[int]:
    """Tokens of a thought that has ended already, where the token `first` would begin one of
    MedGemma's; none elsewhere. What follows them is the answer."""
    if first != tokenizer.token_to_id(GEMMA):
        return []
    text = f"{GEMMA}{UNMARKED}\n{ENDS[GEMMA]}"
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def mark_of(text: str) -> str | None:
    """How the thought begins that `text` begins with; None where it begins with none."""
    bare = text.strip()
    if found := BEGINNING.match(bare):
        return found[0]
    first, *_ = bare.split("\n", 1)
    return UNMARKED if first.strip().lower() == UNMARKED else None


def without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """The same text less every thought; one that is never ended takes the rest with it."""
    filtered = _Filter()
    for piece in _marked(pieces):
        yield from filtered.words(piece)
    yield from filtered.last()


class _Filter:
    """`_rest` waits until it is known whether it is words; `_end` is what ends a thought."""

    def __init__(self) -> None:
        self._rest = self._end = ""

    def words(self, piece: str) -> Iterator[str]:
        self._rest += piece
        while self._past_thought() and (found := BEGINNING.search(self._rest)):
            if found.start():
                yield self._rest[: found.start()]
            self._rest, self._end = self._rest[found.end() :], ENDS[found[0]]
        if not self._end:
            known = len(self._rest) - _unfinished(self._rest)
            if known:
                yield self._rest[:known]
            self._rest = self._rest[known:]

    def last(self) -> Iterator[str]:
        if self._rest and not self._end:
            yield self._rest

    def _past_thought(self) -> bool:
        """False while a thought goes on."""
        if self._end:
            _, ended, after = self._rest.partition(self._end)
            if not ended:
                self._rest = self._rest[-len(self._end) :]
                return False
            self._rest, self._end = after, ""
        return True


def _marked(pieces: Iterable[str]) -> Iterator[str]:
    """With the mark that was hidden before a first line that is UNMARKED alone."""
    pieces, head = iter(pieces), ""
    for piece in pieces:
        head += piece
        first, broken, _ = head.lstrip().partition("\n")
        if broken or not UNMARKED.startswith(first.rstrip().lower()):
            break
    if mark_of(head) == UNMARKED:
        yield "<unused94>"
    if head:
        yield head
    yield from pieces


def _unfinished(text: str) -> int:
    """How many of the last letters may be the start of a mark."""
    longest = min(len(text), max(map(len, ENDS)) - 1)
    return next(
        (n for n in range(longest, 0, -1) if any(mark.startswith(text[-n:]) for mark in ENDS)), 0
    )
