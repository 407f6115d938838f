"""The first answer token's likeliest spellings into log-odds, and how far they can be trusted.

A server lists only some tokens. One that is not listed is no likelier than the last that is, and
all of them together no likelier than what the listed ones leave over. So a class with unlisted
spellings has a probability in an interval, and the margin too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from healer.engines.openai.replies import Likely, Reply
from healer.errors import UpstreamUnsuited

FORMS = {
    word: {lead + form for lead in ("", " ") for form in (word, word.capitalize(), word.upper())}
    for word in ("yes", "no")
}
SPACES = str.maketrans("▁Ġ", "  ")  # as vocabularies spell them
NOTHING = -math.inf
# Probabilities come from float32 sums: less than this cannot be told from nothing.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Reading:
    """`margin` is the finite end nearest to what is known; the true one lies within `bounds`."""

    margin: float
    mass: float
    bounds: tuple[float, float]


def read(url: str, reply: Reply, asked: int) -> Reading:
    """Of a reply that was to list the `asked` likeliest tokens. Raises UpstreamUnsuited."""
    if not reply.likeliest:
        raise UpstreamUnsuited(url, "it gives no top_logprobs")
    if any(math.isnan(each.logprob) or each.logprob > ROUNDING for each in reply.likeliest):
        raise UpstreamUnsuited(url, "a token's log-probability is not a number, or above 0")
    ranked = sorted(reply.likeliest, key=lambda each: -each.logprob)
    ranked = [each for each in ranked if each.logprob > NOTHING]
    if not ranked:
        raise UpstreamUnsuited(url, "no token has a probability")
    return reading(ranked, asked)


def reading(ranked: Sequence[Likely], asked: int) -> Reading:
    # What was drawn may be listed besides the likeliest, and be less likely than any unlisted.
    least = ranked[min(asked, len(ranked)) - 1].logprob
    left = math.log(max(1 - sum(math.exp(each.logprob) for each in ranked), ROUNDING))
    yes, most_yes = known(ranked, "yes", least, left)
    no, most_no = known(ranked, "no", least, left)
    bounds = (yes - most_no, most_yes - no)
    mass = min(math.exp(yes) + math.exp(no), 1.0)
    return Reading(nearest(yes, no, bounds), mass, bounds)


def known(ranked: Sequence[Likely], word: str, least: float, left: float) -> tuple[float, float]:
    """Logarithms of the least and the most probability of all spellings of `word`."""
    spelt = {each.token.translate(SPACES): each.logprob for each in ranked}
    found = [spelt[form] for form in FORMS[word] if form in spelt]
    missing = len(FORMS[word]) - len(found)
    low = together(found)
    if not missing:
        return low, low
    return low, together([low, min(least + math.log(missing), left)])


def together(logarithms: Sequence[float]) -> float:
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
