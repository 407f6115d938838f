"""Getting to know a server: which model it has, what it tells, how it takes a given beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from healer.engines.base import Answer, Question
from healer.engines.openai import answers
from healer.engines.openai.client import Client
from healer.engines.openai.identity import Identity, identity, revision, same
from healer.engines.openai.prompt import (
    AS_IT_IS,
    AnswerForcing,
    Body,
    Direct,
    explaining,
    looking,
    png,
    writing,
)
from healer.engines.openai.replies import Card
from healer.engines.openai.thinking import Look, kept_from, mark_in
from healer.errors import UpstreamModelUnknown, UpstreamUnsuited
from healer.images.tile import Tile

FEWER = (20, 10, 5)  # likeliest tokens: what OpenAI allows, and what stricter servers do
WORD = "Yes"  # one token in every vocabulary that can be asked yes or no
PINK = (226, 158, 194)
ONLY = "because"  # no model says this alone unless it must
BEGINNING = 8  # tokens, enough to see a thought begin


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`likeliest` is how many tokens it lists, `fingerprint` what it says of itself in answers,
    `thinks` whether it would think before it answers, `direct` how it is asked not to."""

    model: str
    identity: Identity
    revision: str
    likeliest: int
    fingerprint: str | None
    manner: AnswerForcing
    thinks: bool = False
    direct: Direct = AS_IT_IS


def probe_capabilities(server: Client, wanted: str | None, question: Question) -> Capabilities:
    """A few small questions about a plain tile. Raises UpstreamError."""
    card = choose(server, wanted)
    image = png(Tile(np.full((64, 64, 3), PINK, np.uint8)))
    thinks, direct, look = first_answer(server, card.id, question, image)
    met = identity(described(server, card))
    return Capabilities(
        model=card.id,
        identity=met,
        revision=revision(server.url, met, look.reply.system_fingerprint),
        likeliest=look.likeliest,
        fingerprint=look.reply.system_fingerprint,
        manner=answer_forcing(server, question, image, {"model": card.id, **direct.fields}),
        thinks=thinks,
        direct=direct,
    )


def first_answer(
    server: Client, model: str, question: Question, image: str
) -> tuple[bool, Direct, Look]:
    """Whether it thinks first, how it is kept from it, and what it then answers."""
    named = {"model": model}
    mark = mark_in(server.ask(writing(question, image, BEGINNING) | named))
    refusal = plain = None
    try:
        plain = first_score(server, looking(question, image) | named)
        mark = mark or mark_in(plain.reply)
    except UpstreamUnsuited as error:
        if mark is None:
            raise
        refusal = error
    if mark is not None:
        found = kept_from(
            mark, lambda way: first_score(server, looking(question, image, direct=way) | named)
        )
        if found is not None:
            return True, *found
    if plain is None:
        why = refusal.reason if refusal else ""
        raise UpstreamUnsuited(server.url, f"its model thinks before it answers, and so {why}")
    return mark is not None, AS_IT_IS, plain


def described(server: Client, card: Card) -> Card:
    """The card again: some servers describe a model only once it has been asked."""
    cards = server.cards() or []
    return next((each for each in cards if each.id == card.id), card)


def choose(server: Client, wanted: str | None) -> Card:
    """The model asked for, or the only one there is."""
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


def first_score(server: Client, body: Body) -> Look:
    """With as many likeliest tokens as the server allows."""
    for likeliest in FEWER:
        last = likeliest == FEWER[-1]
        ask = server.ask if last else server.probe
        try:
            reply = ask(body | {"top_logprobs": likeliest})
        except UpstreamUnsuited:
            if last:
                raise
        else:
            return Look(reply, answers.read_answer(server.url, reply, likeliest), likeliest)
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
    """Told by the prompt's length: a turn that goes on is longer by WORD alone, one that was
    closed, or opened anew, by more."""
    begun = explaining(AnswerForcing.PREFILL, question, image, Answer.YES, WORD)
    plain = writing(question, image, 1)
    try:
        lengths = [server.probe(each | named | {"max_tokens": 1}) for each in (begun, plain)]
    except UpstreamUnsuited:
        return False
    longer, shorter = (reply.prompt_tokens for reply in lengths)
    return longer is not None and shorter is not None and longer - shorter == 1


def obeys_grammar(server: Client, question: Question, image: str, named: Body) -> bool:
    only = {"grammar": f'root ::= "{ONLY}"', "max_tokens": len(ONLY)}
    try:
        reply = server.probe(writing(question, image, 1) | named | only)
    except UpstreamUnsuited:
        return False
    return reply.text.strip() == ONLY


def changed(server: Client, known: Capabilities) -> str | None:
    """Why what was met is not there any more; raises UpstreamError where nothing answers."""
    cards = server.cards()
    if cards is None:
        return None
    card = next((card for card in cards if card.id == known.model), None)
    if card is None:
        return f"it no longer lists {known.model}"
    return None if same(known.identity, identity(card)) else f"it describes {known.model} otherwise"
