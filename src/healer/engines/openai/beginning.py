"""What an explanation begins with, whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from healer.engines.base import Answer
from healer.engines.openai.prompt import STATED, Manner

CONTRADICTIONS = {
    Answer.YES: {"no"},
    Answer.NO: {"yes"},
    Answer.INDETERMINATE: {"yes", "no"},
}
MUSINGS = {"alright", "hmm", "let", "ok", "okay", "so", "wait"}  # a thought without a mark
FIRST_WORD = re.compile(r"\W*(\w+)\W+")


def begun(
    manner: Manner, answer: Answer, start: str, pieces: Iterator[str]
) -> tuple[str, Iterator[str]]:
    """An opening and the text after it; no text where the server contradicts
    `answer`, or thinks aloud."""
    head, matches = opening_of(start, pieces)
    rest = chain([head], pieces)
    if matches or manner is Manner.PREFILL:  # some servers repeat what they continue
        return start, rest
    head, first = first_word(head, pieces)
    if manner is Manner.GRAMMAR or first in CONTRADICTIONS[answer] | MUSINGS:
        return start, iter(())
    own = FIRST_WORD.sub("", head, count=1) if first == answer else head
    return STATED[answer].replace(".", ":"), chain([own], pieces)


def opening_of(start: str, pieces: Iterator[str]) -> tuple[str, bool]:
    """What was read until it is known whether the text begins with `start`, and without it."""
    head = ""
    for piece in pieces:
        head += piece
        if len(head.lstrip()) >= len(start) or not start.startswith(head.lstrip()):
            break
    text = head.lstrip()
    return (text[len(start) :], True) if text.startswith(start) else (head, False)


def first_word(head: str, pieces: Iterator[str]) -> tuple[str, str]:
    """`head` with as many pieces as show its first word whole, and that word in lower case."""
    while not (found := FIRST_WORD.match(head)):
        piece = next(pieces, None)
        if piece is None:
            return head, head.strip().lower()
        head += piece
    return head, found[1].lower()
