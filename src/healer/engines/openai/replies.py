"""What of an OpenAI-compatible server's answers is read; whatever else they hold is passed over.

A field that is null counts as one that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from healer.engines.vlm.prompt import short_hash

THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # where servers keep them apart


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if value is not None}


class Likely(_Part):
    """A token that was likely, and the natural logarithm of its probability if it is given."""

    token: str
    logprob: float | None = None


class Position(_Part):
    top_logprobs: list[Likely] = Field(default_factory=list)


class Logprobs(_Part):
    content: list[Position] = Field(default_factory=list)


class Said(_Part):
    """`content` may come in parts; `thought` says whether the server set thoughts apart from it."""

    content: str = ""
    thought: bool = False

    @model_validator(mode="before")
    @classmethod
    def _joined(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        content, thought = data.get("content"), any(data.get(name) for name in THOUGHTS)
        if isinstance(content, list):
            thought = thought or any(_kind(part) in THOUGHTS for part in content)
            content = "".join(_texts(content))
        return {"content": content, "thought": thought}


class Choice(_Part):
    """`message` of a whole answer, `delta` of a piece of one."""

    message: Said = Said()
    delta: Said = Said()
    logprobs: Logprobs = Logprobs()
    finish_reason: str | None = None


class Usage(_Part):
    prompt_tokens: int | None = None


class Reply(_Part):
    choices: list[Choice] = Field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None

    @property
    def said(self) -> Said:
        return self.choices[0].message if self.choices else Said()

    @property
    def text(self) -> str:
        return self.said.content

    @property
    def prompt_tokens(self) -> int | None:
        return self.usage.prompt_tokens if self.usage else None

    @property
    def likeliest(self) -> list[Likely]:
        """For the first token; empty where the server does not list them."""
        positions = self.choices[0].logprobs.content if self.choices else []
        return positions[0].top_logprobs if positions else []


class Card(BaseModel):
    """A model in the server's list, with all that is said of it."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    id: str
    owned_by: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if isinstance(data, str):
            return {"id": data}
        if not isinstance(data, Mapping):
            return data
        fields = {name: value for name, value in data.items() if value is not None}
        return {"id": fields.get("model") or fields.get("name"), **fields}


class Cards(_Part):
    """`data` as OpenAI has it; a bare list, or `models`, where a server has that."""

    data: list[Card]

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, data: object) -> object:
        if isinstance(data, list):
            return {"data": data}
        if isinstance(data, Mapping) and "data" not in data and "models" in data:
            return {"data": data["models"]}
        return data


def _kind(part: JsonValue) -> object:
    return part.get("type") if isinstance(part, Mapping) else None


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping) and isinstance(text := part.get("text"), str):
            yield text


# What identifies a served model. Servers say much of a model that changes while it stays the same
# (llama.cpp's router: `status`, when it loads or sleeps), so only what names a model, and
# what describes its weights, counts.
NAMES = ("id", "owned_by", "root", "parent", "revision", "digest", "quantization")
# In `meta`, which llama.cpp gives only while a model is loaded.
OF_WEIGHTS = ("n_params", "size", "n_vocab", "n_embd", "vocab_type", "ftype")
Identity = Mapping[str, object]


def identity(card: Card) -> Identity:
    """What the card does not say is left out."""
    fields = card.model_dump()
    meta = fields.get("meta")
    described = {f"meta.{name}": meta.get(name) for name in OF_WEIGHTS} if meta else {}
    named = {name: fields.get(name) for name in NAMES}
    return {name: value for name, value in (named | described).items() if value is not None}


def same(before: Identity, now: Identity) -> bool:
    """Names must be the same; weights only where both describe them."""
    if any(before.get(name) != now.get(name) for name in NAMES):
        return False
    return all(before[name] == now[name] for name in before.keys() & now.keys())


def revision(url: str, served: Identity, fingerprint: str | None) -> str:
    """Short, and another one for another server, model or fingerprint."""
    described = json.dumps([url, served, fingerprint], sort_keys=True, default=str)
    return f"{served.get('owned_by') or 'unnamed'}-{short_hash(described)}"
