"""Is a served model one that thinks before it answers, and can it be kept from it?

The probability of yes is read off the first token; a thought there says nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from healer.engines.openai.answers import AnswerOdds
from healer.engines.openai.prompt import Direct
from healer.engines.openai.replies import Reply
from healer.engines.vlm.thinking import ENDS, UNMARKED, mark_of
from healer.errors import UpstreamUnsuited

ENOUGH = 0.5  # of the probability on yes or no, as a verdict needs
# Templates know one of these, servers the other; what is not known is passed over or refused.
FIELDS = (
    {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
    {"reasoning_effort": "none"},
)
ANSWER = "Answer:"
KEPT_FROM_IT = (
    "this model thinks before it answers; it is kept from it, so it may answer less well than its "
    "makers claim: calibrate it as it is asked here"
)
NOT_KEPT = (
    "this model thinks before it answers, and this server cannot be made to leave that out: its "
    "answers will be indeterminate, and explanations left out; serve a model that does not think, "
    "or let the server continue a turn (continue_final_message)"
)


@dataclass(frozen=True, slots=True)
class Look:
    """A first look at a plain tile; `likeliest` is how many tokens the server lists."""

    reply: Reply
    reading: AnswerOdds
    likeliest: int


def mark_in(reply: Reply) -> str | None:
    """How the thought begins that `reply` begins with; None where there is none."""
    if reply.said.thought:
        return UNMARKED
    listed = [each for each in reply.likeliest if each.logprob is not None]
    first = max(listed, key=lambda each: each.logprob or 0.0).token if listed else ""
    return mark_of(reply.text) or mark_of(first)


def ways(mark: str) -> Iterator[Direct]:
    """The model's own first, then a turn that begins behind its thought."""
    for fields in FIELDS:
        yield Direct(fields)
    openings = (
        [f"{mark}thought\n{ENDS[mark]}", f"{mark}\n\n{ENDS[mark]}\n\n"] if mark in ENDS else []
    )
    for fields in ({}, FIELDS[0]):
        for opening in (*openings, ANSWER):
            yield Direct(fields, opening)


def kept_from(mark: str, look: Callable[[Direct], Look]) -> tuple[Direct, Look] | None:
    """The first way in which it answers with yes or no, or at least does not think."""
    silent = None
    for direct in ways(mark):
        try:
            found = look(direct)
        except UpstreamUnsuited:
            continue
        if mark_in(found.reply) is None:
            if found.reading.mass >= ENOUGH:
                return direct, found
            silent = silent or (direct, found)
    return silent
