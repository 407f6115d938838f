"""What of an OpenAI-compatible server's answers is read; whatever else they hold is passed over."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Likely(_Part):
    """A token that was likely, and the natural logarithm of its probability."""

    token: str
    logprob: float


class Position(_Part):
    top_logprobs: list[Likely] = Field(default_factory=list)


class Logprobs(_Part):
    content: list[Position] | None = None


class Said(_Part):
    content: str | None = None


class Choice(_Part):
    """`message` of a whole answer, `delta` of a piece of one."""

    message: Said = Said()
    delta: Said = Said()
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class Usage(_Part):
    prompt_tokens: int | None = None


class Reply(_Part):
    choices: list[Choice] = Field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    error: object = None

    @property
    def text(self) -> str:
        return self.choices[0].message.content or "" if self.choices else ""

    @property
    def prompt_tokens(self) -> int | None:
        return self.usage.prompt_tokens if self.usage else None

    @property
    def likeliest(self) -> list[Likely]:
        """For the first token; empty where the server does not tell."""
        if not self.choices or not (told := self.choices[0].logprobs) or not told.content:
            return []
        return told.content[0].top_logprobs


class Card(BaseModel):
    """A model in the server's list. All that it says is kept: it is what tells models apart."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    id: str
    owned_by: str = ""


class Cards(_Part):
    data: list[Card]
