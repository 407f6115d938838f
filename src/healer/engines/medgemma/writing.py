"""Generated tokens into text as it comes. Knows no model library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_NEW_TOKENS = 100
INCOMPLETE = "\ufffd"


def pieces(
    given: Sequence[int], tokens: Iterable[int], decode: Callable[[Sequence[int]], str]
) -> Iterator[str]:
    """Text of `tokens`, which follow `given`, in pieces of whole characters."""
    so_far = list(given)
    written = decode(so_far)
    for token in tokens:
        so_far.append(token)
        text = decode(so_far)
        if not text.endswith(INCOMPLETE) and len(text) > len(written):
            yield text[len(written) :]
            written = text
