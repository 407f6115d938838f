"""Raw generated text, piece by piece, into one plain sentence, piece by piece.

Nothing that was yielded is taken back: words wait while they may be the start of a loop, and a
trailing comma or "and the" waits until something follows it. A thought is no part of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from healer.engines.vlm.thinking import without_thoughts

NO_EXPLANATION = "The model gave no explanation."
LINE_BREAK = "\n"
LONGEST_WORD = 45  # letters; beyond it, a loop that never writes a space
LONGEST_LOOP = 12  # words
PUNCTUATION = ".,;:!?…。–—-"
ABBREVIATIONS = {"e.g.", "i.e.", "cf.", "vs.", "approx.", "ca.", "al.", "fig.", "dr.", "resp."}
HANGING = re.compile(
    r"(a|an|and|are|as|at|be|but|by|for|from|has|have|in|is|of|on|or|that|the|their|to|was|were"
    r"|which|with)?",
    re.IGNORECASE,
)
MARKUP = re.compile(r'\]\(\S*|<[^<>\s]+>|~~|[\[\]*_`#|"“”\\\ufffd]')
LIST_MARKER = re.compile(r"\d+[.)]|[-–—•]")
INITIAL = re.compile(r"[A-Z]\.")


def one_sentence(opening: str, pieces: Iterable[str]) -> Iterator[str]:
    """`opening` and the rest of its sentence; NO_EXPLANATION alone where no words follow."""
    words: list[str] = []
    shown = ""
    looped = False
    for word in sentence_words(without_thoughts(pieces)):
        words.append(word)
        repeated, looped = repetition(words)
        if looped:
            del words[-repeated:]
            break
        text = settled(words[: len(words) - repeated])
        if len(text) > len(shown):
            yield f"{opening} {text}" if not shown else text[len(shown) :]
            shown = text
    text = finished(words, cut=looped)
    if not text:
        yield NO_EXPLANATION
    else:
        yield f"{text[len(shown) :]}." if shown else f"{opening} {text}."


def sentence_words(pieces: Iterable[str]) -> Iterator[str]:
    """Plain words up to and including the one that ends the sentence."""
    last = ""
    line_start = True
    for raw in split_words(pieces):
        if raw == LINE_BREAK:
            if last and not last.endswith((":", ",")):
                return
            line_start = True
            continue
        word = plain(raw)
        marker = line_start and LIST_MARKER.fullmatch(word)
        line_start = False
        if not word or marker:
            continue
        yield word
        last = word
        if ends_sentence(word):
            return


def split_words(pieces: Iterable[str]) -> Iterator[str]:
    """Complete words, and LINE_BREAK for white space that holds one."""
    rest = ""
    for piece in pieces:
        *complete, rest = re.split(r"(\s+)", rest + piece)
        for part in complete:
            if part.isspace():
                yield from [LINE_BREAK] * ("\n" in part)
            elif part:
                yield part
        if len(rest) > LONGEST_WORD:
            return
    if rest:
        yield rest


def plain(word: str) -> str:
    return "".join(letter for letter in MARKUP.sub("", word) if letter.isprintable())


def ends_sentence(word: str) -> bool:
    if not word.endswith((".", "!", "?", "…", "。")):
        return False
    bare = word.lstrip("(")
    return bare.lower() not in ABBREVIATIONS and INITIAL.fullmatch(bare) is None


def repetition(words: list[str]) -> tuple[int, bool]:
    """How many trailing words may be a repeat of those before them, and whether they surely are.

    A phrase of three words or more said twice in a row is a loop, a shorter one said thrice.
    """
    folded = [word.strip(PUNCTUATION).lower() for word in words]
    longest = 0
    for period in range(1, LONGEST_LOOP + 1):
        run = 0
        while run + period < len(folded) and folded[-1 - run] == folded[-1 - run - period]:
            run += 1
        if run >= max(period, 2):
            return run, True
        longest = max(longest, run)
    return longest, False


def settled(words: list[str]) -> str:
    """The text of `words` up to where a sentence could stop."""
    end = len(words)
    while end and HANGING.fullmatch(words[end - 1].strip(PUNCTUATION)):
        end -= 1
    return " ".join(words[:end]).rstrip(PUNCTUATION)


def finished(words: list[str], *, cut: bool) -> str:
    """The whole sentence without its full stop; hanging words stay if the model ended on them."""
    if words and not cut and ends_sentence(words[-1]):
        return " ".join(words).rstrip(PUNCTUATION)
    return settled(words)


MAX_NEW_TOKENS = 100
INCOMPLETE = "\ufffd"


def text_pieces(
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
