"""The requests to the server, as OpenAI's /chat/completions spells them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from PIL import Image

from healer.engines.base import Answer, Question
from healer.engines.vlm.prompt import short_hash
from healer.engines.vlm.sentence import MAX_NEW_TOKENS
from healer.images.tile import Tile

Body = dict[str, Any]
LIKELIEST = 20  # the most that OpenAI's own interface allows
GREEDY = {"temperature": 0.0}
CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
OPENING_TOKENS = 40  # more than any opening takes, where the server writes it too
UNCHANGED = "png-unchanged"  # preprocessing is the server's
STATED = {
    Answer.YES: "Yes.",
    Answer.NO: "No.",
    Answer.INDETERMINATE: "It cannot be determined.",
}


class AnswerForcing(StrEnum):
    """How an explanation is made to begin with its answer, the surest first."""

    PREFILL = "prefill"  # the server continues a turn that Healer began
    GRAMMAR = "grammar"  # it may write nothing else (llama.cpp's GBNF)
    ASKED = "asked"  # it is instructed to, and what it writes is checked


def png(tile: Tile) -> str:
    """The tile as a data URL, lossless and in its own size."""
    stream = io.BytesIO()
    Image.fromarray(tile.pixels).save(stream, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def messages(question: Question, image: str) -> list[Body]:
    """One user turn: the image first, then the question."""
    picture = {"type": "image_url", "image_url": {"url": image}}
    return [turn("user", [picture, {"type": "text", "text": question.text}])]


def turn(role: str, content: object) -> Body:
    return {"role": role, "content": content}


@dataclass(frozen=True, slots=True)
class Direct:
    """How thinking first is prevented: fields that a server or a model's template knows, and an
    opening of its turn that leaves only the answer to write."""

    fields: Body = field(default_factory=dict)
    opening: str = ""


AS_IT_IS = Direct()


def scoring_body(
    question: Question, image: str, likeliest: int = LIKELIEST, direct: Direct = AS_IT_IS
) -> Body:
    """Requests the first answer token alone, and what else it could have been."""
    options = {"max_tokens": 1, "logprobs": True, "top_logprobs": likeliest}
    body = {"messages": messages(question, image), **options, **GREEDY, **direct.fields}
    if not direct.opening:
        return body
    return body | {"messages": [*body["messages"], turn("assistant", direct.opening)], **CONTINUED}


def writing_body(question: Question, image: str, tokens: int) -> Body:
    """Requests the answer as the model begins it by itself."""
    return {"messages": messages(question, image), "max_tokens": tokens, **GREEDY}


def explaining_body(
    forcing: AnswerForcing, question: Question, image: str, answer: Answer, start: str
) -> Body:
    """Requests a sentence that begins with `start`, or for the rest of it."""
    turns = messages(question, image)
    if forcing is AnswerForcing.PREFILL:
        turns = [*turns, turn("assistant", start)]
        return {"messages": turns, "max_tokens": MAX_NEW_TOKENS, **CONTINUED, **GREEDY}
    longest = MAX_NEW_TOKENS + OPENING_TOKENS
    if forcing is AnswerForcing.GRAMMAR:
        grammar = f"root ::= {json.dumps(start)} [^\\n]+"
        return {"messages": turns, "max_tokens": longest, "grammar": grammar, **GREEDY}
    again = f'Explain that in one sentence, beginning with "{start}"'
    turns = [*turns, turn("assistant", STATED[answer]), turn("user", again)]
    return {"messages": turns, "max_tokens": longest, **GREEDY}


def many_pictures_body(
    text: str, images: Sequence[str], tokens: int, direct: Direct = AS_IT_IS
) -> Body:
    """Requests what the model says of all images together: the text first, then each of them."""
    pictures = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    turns = [turn("user", [{"type": "text", "text": text}, *pictures])]
    body = {"messages": turns, "max_tokens": tokens, **GREEDY, **direct.fields}
    if not direct.opening:
        return body
    return body | {"messages": [*turns, turn("assistant", direct.opening)], **CONTINUED}


def prompt_id(question: Question, direct: Direct = AS_IT_IS) -> str:
    """Changes with any part of a request except the image."""
    return short_hash(json.dumps(scoring_body(question, "", direct=direct)))
