"""Getting to know a server: which model it has, what it tells, how it takes a given beginning."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from healer.engines.base import Answer, Question
from healer.engines.medgemma.prompt import short_hash
from healer.engines.openai import answers
from healer.engines.openai.prompt import GREEDY, Body, Manner, explaining, looking, messages, png
from healer.engines.openai.replies import Card, Reply
from healer.engines.openai.server import Server
from healer.errors import UpstreamModelUnknown, UpstreamUnsuited
from healer.imaging.tile import Tile

FEWER = (20, 10, 5)  # likeliest tokens: what OpenAI allows, and what stricter servers do
CHANGING = {"created", "permission", "permissions"}  # of a card, though the model is the same
WORD = "Yes"  # one token in every vocabulary that can be asked yes or no
PINK = (226, 158, 194)
ONLY = "because"  # no model says this alone unless it must


@dataclass(frozen=True, slots=True)
class Known:
    """`likeliest` is how many tokens it lists, `fingerprint` what it says of itself in answers."""

    model: str
    owner: str
    revision: str
    likeliest: int
    fingerprint: str | None
    manner: Manner


def meet(server: Server, wanted: str | None, question: Question) -> Known:
    """A few small questions about a plain tile. Raises UpstreamError."""
    card = choose(server, wanted)
    image = png(Tile(np.full((64, 64, 3), PINK, np.uint8)))
    reply, likeliest = first_look(server, looking(question, image) | {"model": card.id})
    return Known(
        model=card.id,
        owner=card.owned_by,
        revision=revision(server.url, card, reply.system_fingerprint),
        likeliest=likeliest,
        fingerprint=reply.system_fingerprint,
        manner=manner(server, card.id, question, image),
    )


def choose(server: Server, wanted: str | None) -> Card:
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


def first_look(server: Server, body: Body) -> tuple[Reply, int]:
    """With as many likeliest tokens as the server allows, and their number."""
    for likeliest in FEWER:
        try:
            reply = server.ask(body | {"top_logprobs": likeliest})
        except UpstreamUnsuited:
            if likeliest == FEWER[-1]:
                raise
        else:
            answers.read(server.url, reply, likeliest)
            return reply, likeliest
    raise AssertionError("one of them returned or raised")


def revision(url: str, card: Card, fingerprint: str | None) -> str:
    """Who serves, and all that could tell one model there from another."""
    said = {name: value for name, value in card.model_dump().items() if name not in CHANGING}
    told = json.dumps([url, said, fingerprint], sort_keys=True, default=str)
    return f"{card.owned_by or 'unnamed'}-{short_hash(told)}"


def manner(server: Server, model: str, question: Question, image: str) -> Manner:
    """The surest way this server has been seen to keep to."""
    if continues(server, model, question, image):
        return Manner.PREFILL
    return Manner.GRAMMAR if obeys_grammar(server, model, question, image) else Manner.ASKED


def continues(server: Server, model: str, question: Question, image: str) -> bool:
    """Told by the prompt's length: a turn that goes on is longer by WORD alone, one that was
    closed, or opened anew, by more."""
    named = {"model": model}
    begun = explaining(Manner.PREFILL, question, image, Answer.YES, WORD)
    plain = {"messages": messages(question, image), **GREEDY}
    try:
        lengths = [server.ask(each | named | {"max_tokens": 1}) for each in (begun, plain)]
    except UpstreamUnsuited:
        return False
    longer, shorter = (reply.prompt_tokens for reply in lengths)
    return longer is not None and shorter is not None and longer - shorter == 1


def obeys_grammar(server: Server, model: str, question: Question, image: str) -> bool:
    only = {"grammar": f'root ::= "{ONLY}"', "max_tokens": len(ONLY)}
    try:
        reply = server.ask(
            {"messages": messages(question, image), "model": model, **only, **GREEDY}
        )
    except UpstreamUnsuited:
        return False
    return reply.text.strip() == ONLY


def changed(server: Server, known: Known) -> str | None:
    """Why what was met is not there any more; raises UpstreamError where nothing answers."""
    cards = server.cards()
    if cards is None:
        return None
    card = next((card for card in cards if card.id == known.model), None)
    if card is None:
        return f"it no longer lists {known.model}"
    if revision(server.url, card, known.fingerprint) != known.revision:
        return f"it describes {known.model} otherwise"
    return None
