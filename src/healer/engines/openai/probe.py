"""A server's capabilities: its model, the probabilities it gives, how an answer can be forced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from healer.engines.base import Answer, Question
from healer.engines.openai import answers
from healer.engines.openai.answers import AnswerOdds
from healer.engines.openai.client import Client
from healer.engines.openai.prompt import (
    AS_IT_IS,
    AnswerForcing,
    Body,
    Direct,
    explaining_body,
    png,
    scoring_body,
    writing_body,
)
from healer.engines.openai.replies import Card, Identity, Reply, identity, revision, same
from healer.engines.vlm.thinking import ENDS, UNMARKED, mark_of
from healer.errors.engine import UpstreamModelUnknown, UpstreamUnsuited
from healer.images.tile import Tile

LIKELIEST_COUNTS = (20, 10, 5)  # likeliest tokens: what OpenAI allows, and what stricter servers do
WORD = "Yes"  # one token in every vocabulary that has yes and no
PINK = (226, 158, 194)
ONLY = "because"  # no model says this alone unless it must
TEXT_TOKENS = 800  # of a prompt and of what is written
PICTURE_TOKENS = 260  # of a picture to Gemma 3; another model may need more, and refuses then
BEGINNING = 8  # tokens, enough to see a thought begin

# The probability of yes is read off the first token; a thought there says nothing of it.
ENOUGH = 0.5  # of the probability on yes or no, as a verdict needs
# Templates know one of these, servers the other; what is not known is passed over or refused.
FIELDS = (
    {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
    {"reasoning_effort": "none"},
)
ANSWER = "Answer:"
THINKING_SUPPRESSED = (
    "this model thinks before it answers; it is kept from it, so it may answer less well than its "
    "makers claim: calibrate it as it is asked here"
)
THINKING_NOT_SUPPRESSED = (
    "this model thinks before it answers, and this server cannot be made to leave that out: its "
    "answers will be indeterminate, and explanations left out; serve a model that does not think, "
    "or let the server continue a turn (continue_final_message)"
)


@dataclass(frozen=True, slots=True)
class FirstScore:
    """The first score of a plain tile; `likeliest` is how many tokens the server lists."""

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


def suppress_thinking(
    mark: str, score: Callable[[Direct], FirstScore]
) -> tuple[Direct, FirstScore] | None:
    """The first way in which it answers with yes or no, or at least does not think."""
    silent = None
    for direct in ways(mark):
        try:
            found = score(direct)
        except UpstreamUnsuited:
            continue
        if mark_in(found.reply) is None:
            if found.reading.mass >= ENOUGH:
                return direct, found
            silent = silent or (direct, found)
    return silent


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`likeliest` is how many tokens it lists, `fingerprint` what it says of itself in answers,
    `thinks` whether it would think before it answers, `direct` how it is prevented.
    `pictures_that_fit` follows from how many tokens its list says that it reads, None where the
    list does not say."""

    model: str
    identity: Identity
    revision: str
    likeliest: int
    fingerprint: str | None
    forcing: AnswerForcing
    thinks: bool = False
    direct: Direct = AS_IT_IS
    pictures_that_fit: int | None = None


def probe_capabilities(server: Client, wanted: str | None, question: Question) -> Capabilities:
    """A few small questions about a plain tile. Raises UpstreamError."""
    card = choose(server, wanted)
    image = png(Tile(np.full((64, 64, 3), PINK, np.uint8)))
    thinks, direct, score = first_answer(server, card.id, question, image)
    card = described(server, card)
    served = identity(card)
    return Capabilities(
        model=card.id,
        identity=served,
        revision=revision(server.url, served, score.reply.system_fingerprint),
        likeliest=score.likeliest,
        fingerprint=score.reply.system_fingerprint,
        forcing=answer_forcing(server, question, image, {"model": card.id, **direct.fields}),
        thinks=thinks,
        direct=direct,
        pictures_that_fit=pictures_that_fit(card),
    )


def pictures_that_fit(card: Card) -> int | None:
    """As many as leave room for a text: vLLM lists `max_model_len`."""
    window = card.model_dump().get("max_model_len")
    if not isinstance(window, int) or window <= 0:
        return None
    return max(1, (window - TEXT_TOKENS) // PICTURE_TOKENS)


def first_answer(
    server: Client, model: str, question: Question, image: str
) -> tuple[bool, Direct, FirstScore]:
    """Whether it thinks first, how it is prevented, and what it then answers."""
    named = {"model": model}
    mark = mark_in(server.ask(writing_body(question, image, BEGINNING) | named))
    refusal = plain = None
    try:
        plain = first_score(server, scoring_body(question, image) | named)
        mark = mark or mark_in(plain.reply)
    except UpstreamUnsuited as error:
        if mark is None:
            raise
        refusal = error
    if mark is not None:
        found = suppress_thinking(
            mark, lambda way: first_score(server, scoring_body(question, image, direct=way) | named)
        )
        if found is not None:
            return True, *found
    if plain is None:
        why = refusal.reason if refusal else ""
        raise UpstreamUnsuited(server.url, f"its model thinks before it answers, and so {why}")
    return mark is not None, AS_IT_IS, plain


def described(server: Client, card: Card) -> Card:
    """The card again: some servers describe a model only once it has answered."""
    cards = server.cards() or []
    return next((each for each in cards if each.id == card.id), card)


def choose(server: Client, wanted: str | None) -> Card:
    """The configured model, or the only one there is."""
    cards = server.cards()
    if cards is None:
        if wanted is None:
            raise UpstreamModelUnknown(server.url, "it does not list its models")
        return Card(id=wanted)
    names = ", ".join(card.id for card in cards) or "nothing"
    if wanted is None and len(cards) != 1:
        raise UpstreamModelUnknown(server.url, f"no model was named, and it lists {names}")
    for card in cards:
        if wanted in (None, card.id):
            return card
    raise UpstreamModelUnknown(server.url, f"it lists {names}, not {wanted}")


def first_score(server: Client, body: Body) -> FirstScore:
    """With as many likeliest tokens as the server allows."""
    for likeliest in LIKELIEST_COUNTS:
        last = likeliest == LIKELIEST_COUNTS[-1]
        ask = server.ask if last else server.probe
        try:
            reply = ask(body | {"top_logprobs": likeliest})
        except UpstreamUnsuited:
            if last:
                raise
        else:
            return FirstScore(reply, answers.read_answer(server.url, reply, likeliest), likeliest)
    raise AssertionError("one of them returned or raised")


def answer_forcing(server: Client, question: Question, image: str, named: Body) -> AnswerForcing:
    """The surest way this server has been seen to keep to."""
    if continues(server, question, image, named):
        return AnswerForcing.PREFILL
    return (
        AnswerForcing.GRAMMAR
        if obeys_grammar(server, question, image, named)
        else AnswerForcing.ASKED
    )


def continues(server: Client, question: Question, image: str, named: Body) -> bool:
    """ListedToken by the prompt's length: a turn that goes on is longer by WORD alone, one that was
    closed, or opened again, by more."""
    begun = explaining_body(AnswerForcing.PREFILL, question, image, Answer.YES, WORD)
    plain = writing_body(question, image, 1)
    try:
        lengths = [server.probe(each | named | {"max_tokens": 1}) for each in (begun, plain)]
    except UpstreamUnsuited:
        return False
    longer, shorter = (reply.prompt_tokens for reply in lengths)
    return longer is not None and shorter is not None and longer - shorter == 1


def obeys_grammar(server: Client, question: Question, image: str, named: Body) -> bool:
    only = {"grammar": f'root ::= "{ONLY}"', "max_tokens": len(ONLY)}
    try:
        reply = server.probe(writing_body(question, image, 1) | named | only)
    except UpstreamUnsuited:
        return False
    return reply.text.strip() == ONLY


def changed(server: Client, known: Capabilities) -> str | None:
    """Why it serves the probed model no longer; raises UpstreamError where nothing answers."""
    cards = server.cards()
    if cards is None:
        return None
    card = next((card for card in cards if card.id == known.model), None)
    if card is None:
        return f"it no longer lists {known.model}"
    return None if same(known.identity, identity(card)) else f"it describes {known.model} otherwise"
