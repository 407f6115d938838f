"""The first answer token's likeliest spellings into log-odds, and how far they can be trusted.

A server lists only some tokens. One that is not listed is no likelier than the last that is, and
all of them together no likelier than what the listed ones leave over. So a class with unlisted
spellings has a probability in an interval, and the margin too. Several tokens may be written alike
(`▁Yes` and `Yes`, where the server drops what marks a space): their probabilities add up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from healer.engines.base import Answer
from healer.engines.openai.prompt import STATED, AnswerForcing
from healer.engines.openai.replies import Likely, Reply
from healer.engines.vlm.prompt import spellings
from healer.errors.engine import UpstreamUnsuited

FORMS = {word: set(spellings(word)) for word in ("yes", "no")}
SPACES = str.maketrans("▁Ġ", "  ")  # as vocabularies spell them
NOTHING = -math.inf
# Probabilities come from float32 sums: less than this cannot be distinguished from nothing.
ROUNDING = 1e-6
EXCESS = 0.01  # of a sum of probabilities over 1: more is no rounding


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A listed token, written with plain spaces, and the natural logarithm of its probability."""

    spelling: str
    logprob: float


@dataclass(frozen=True, slots=True)
class AnswerOdds:
    """`margin` is the finite end nearest to what is known; the true one lies within `bounds`."""

    margin: float
    mass: float
    bounds: tuple[float, float]


def read_answer(url: str, reply: Reply, likeliest: int) -> AnswerOdds:
    """Of a reply that was to list so many of the likeliest tokens. Raises UpstreamUnsuited."""
    if not reply.likeliest:
        raise UpstreamUnsuited(url, "it gives no top_logprobs")
    listed = [
        ListedToken(token_text(each), each.logprob)
        for each in reply.likeliest
        if each.logprob is not None
    ]
    if not listed:
        raise UpstreamUnsuited(url, "it lists tokens without a logprob")
    if any(math.isnan(each.logprob) or each.logprob > ROUNDING for each in listed):
        raise UpstreamUnsuited(url, "a token's log-probability is not a number, or above 0")
    ranked = sorted(listed, key=lambda each: -each.logprob)
    ranked = [each for each in ranked if each.logprob > NOTHING]
    if not ranked:
        raise UpstreamUnsuited(url, "no token has a probability")
    total = sum(math.exp(each.logprob) for each in ranked)
    if total > 1 + EXCESS:
        raise UpstreamUnsuited(url, f"the probabilities of its tokens add up to {total:.2f}")
    hidden = {token_text(each) for each in reply.likeliest if each.logprob is None}
    return answer_odds(ranked, likeliest, hidden)


def token_text(token: Likely) -> str:
    return token.token.translate(SPACES)


def answer_odds(
    ranked: Sequence[ListedToken], likeliest: int, hidden: Collection[str] = ()
) -> AnswerOdds:
    """`hidden` are spellings whose probability was not given."""
    # What was drawn may be listed besides the likeliest, and be less likely than any unlisted.
    least = ranked[min(likeliest, len(ranked)) - 1].logprob
    left = math.log(max(1 - sum(math.exp(each.logprob) for each in ranked), ROUNDING))
    yes, most_yes = known(ranked, "yes", left if FORMS["yes"] & set(hidden) else least, left)
    no, most_no = known(ranked, "no", left if FORMS["no"] & set(hidden) else least, left)
    bounds = (yes - most_no, most_yes - no)
    mass = min(math.exp(yes) + math.exp(no), 1.0)
    return AnswerOdds(nearest(yes, no, bounds), mass, bounds)


def known(
    ranked: Sequence[ListedToken], word: str, least: float, left: float
) -> tuple[float, float]:
    """Logarithms of the least and the most probability of all spellings of `word`."""
    found = [each.logprob for each in ranked if each.spelling in FORMS[word]]
    missing = len(FORMS[word]) - len(found)  # tokens, of which several may be written alike
    low = log_sum(found)
    if missing <= 0:
        return low, low
    return low, log_sum([low, min(least + math.log(missing), left)])


def log_sum(logarithms: Sequence[float]) -> float:
    """The logarithm of the sum, NOTHING for none."""
    highest = max(logarithms, default=NOTHING)
    if highest == NOTHING:
        return NOTHING
    return highest + math.log(sum(math.exp(each - highest) for each in logarithms))


def nearest(yes: float, no: float, bounds: tuple[float, float]) -> float:
    """The margin of what is listed; where one class is not, the end that is known."""
    if yes > NOTHING and no > NOTHING:
        return yes - no
    return next((end for end in bounds if math.isfinite(end)), 0.0)


CONTRADICTIONS = {
    Answer.YES: {"no"},
    Answer.NO: {"yes"},
    Answer.INDETERMINATE: {"yes", "no"},
}
MUSINGS = {"alright", "hmm", "let", "ok", "okay", "so", "wait"}  # a thought without a mark
FIRST_WORD = re.compile(r"\W*(\w+)\W+")


def check_opening(
    forcing: AnswerForcing, answer: Answer, start: str, pieces: Iterator[str]
) -> tuple[str, Iterator[str]]:
    """An opening and the text after it; no text where the server contradicts
    `answer`, or thinks aloud."""
    head, matches = opening_of(start, pieces)
    rest = chain([head], pieces)
    if matches or forcing is AnswerForcing.PREFILL:  # some servers repeat what they continue
        return start, rest
    head, first = first_word(head, pieces)
    if forcing is AnswerForcing.GRAMMAR or first in CONTRADICTIONS[answer] | MUSINGS:
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
