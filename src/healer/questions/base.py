"""What a question is, whichever engine answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Answer(StrEnum):
    """The label set of every question."""

    YES = "yes"
    NO = "no"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class ClassHead:
    """How a classifier answers: `shares` is how much of each class's probability, in [0, 1],
    speaks for yes; nothing of a class that is not named does.

    `rule` says so for readers, the beginning of a sentence; `key` identifies the head in an
    engine's `preprocessing_id`, and changes whenever a margin could.
    """

    shares: Mapping[str, float] = field(hash=False)
    rule: str
    key: str

    def shares_of(self, classes: Sequence[str]) -> list[float]:
        """In the order of a network's outputs."""
        return [self.shares.get(name, 0.0) for name in classes]

    def probability(self, classes: Mapping[str, float]) -> float | None:
        """Of yes, from the probability of each class; None where a class that counts is not
        among them."""
        if not classes.keys() >= self.shares.keys():
            return None
        return min(1.0, sum(classes[name] * share for name, share in self.shares.items()))


@dataclass(frozen=True, slots=True)
class Question:
    """A yes/no question about a tile. `id` changes whenever the wording or the head does.

    `text` is the prompt of a language model, `head` how a classifier answers it, and `sentences`
    what a classifier says of each answer. `follow_up` is answered too where this is not a yes.
    A calibration is bound to the question through an engine's `prompt_id`.
    """

    id: str
    text: str
    subject: str
    head: ClassHead | None = None
    sentences: Mapping[Answer, str] = field(default_factory=dict, hash=False)
    follow_up: Question | None = None
