"""Is a conversion still the model? Measured on tiles, as it is served, against float32."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from healer.engines.base import Answer
from healer.engines.medgemma.answers import AnswerTokens
from healer.engines.medgemma.prompt import opening
from healer.engines.openvino import loading
from healer.engines.openvino.answers import answer_tokens, margin
from healer.engines.openvino.folder import TOKENIZER, Described, Parity, TileParity
from healer.engines.openvino.prompt import encode
from healer.errors import ConversionInaccurate
from healer.optimize.checkpoint import Floats
from healer.optimize.order import Order, Sample
from healer.optimize.parts import Parts

FORCED = 8  # tokens of an explanation's opening, after the answer's own position


class Verification:
    """Logits of the answer's position, and of each after FORCED tokens that both are made to say.

    Reads no weights until it runs.
    """

    def __init__(self, order: Order, about: Described, config: Any, parts: Parts) -> None:  # noqa: ANN401
        self._order, self._about, self._config, self._parts = order, about, config, parts
        tokenizer = Tokenizer.from_file(str(order.source / TOKENIZER))
        self.prompt = encode(tokenizer, order.question.text, about.image.tokens)
        start = opening(order.question, Answer.YES)
        self._forced = list(tokenizer.encode(start, add_special_tokens=False).ids[:FORCED])
        self._answers = answer_tokens(tokenizer)

    def run(self) -> Parity:
        """Float32 is let go of before the conversion is loaded: never both in memory."""
        expected = self._expected()
        return Parity(tiles=tuple(self._measured(expected)), tolerance=self._order.allowed)

    def _expected(self) -> list[Floats]:
        """Float32 (positions, vocabulary) of each sample."""
        order, reference = self._order, self._reference()
        step = order.steps("float32", len(order.samples))
        found = []
        for index, sample in enumerate(order.samples):
            found.append(self._kept(index, sample, reference))
            step()
        return found

    def _kept(self, index: int, sample: Sample, logits: Callable[[Sample], Floats]) -> Floats:
        file = self._order.work / f"float32-{index}.npy"
        seen = hashlib.sha256(sample.tile.pixels.tobytes()).hexdigest()
        told = (seen, sample.tile.pixels.shape, self.prompt.ids, self._forced)
        self._parts.make(file.stem, (file.name,), lambda: np.save(file, logits(sample)), *told)
        found: Floats = np.load(file)
        return found

    def _reference(self) -> Callable[[Sample], Floats]:
        """Float32 by torch, opened when first asked."""
        opened: list[Any] = []

        def logits(sample: Sample) -> Floats:
            if not opened:
                from healer.optimize.reference import Reference

                opened.append(Reference(self._order.source, self._config, self._order.question))
            found: Floats = opened[0].logits(sample.tile, self._forced)
            return found

        return logits

    def _measured(self, expected: list[Floats]) -> list[TileParity]:
        order = self._order
        gemma = loading.load(
            order.work, self._about, threads=0, dtype="bfloat16", cache_mb=0, keep_compiled=False
        )
        step = order.steps("converted", len(order.samples))
        measured = []
        for sample, sure in zip(order.samples, expected, strict=True):
            first, prompted = gemma.prefill(sample.tile, self.prompt)
            run = gemma.language.run(prompted)
            found = np.stack([first, *(run.step([token]) for token in self._forced)])
            measured.append(compare(sample.name, sure, found, self._answers))
            step()
        return measured


def compare(name: str, expected: Floats, found: Floats, tokens: AnswerTokens) -> TileParity:
    """Both (positions, vocabulary), the first position the answer's."""
    sure, tried = log_softmax(expected), log_softmax(found)
    best, chosen = sure.argmax(axis=-1), tried.argmax(axis=-1)
    rows = np.arange(len(sure))
    return TileParity(
        tile=name,
        reference_margin=margin(expected[0], tokens),
        margin=margin(found[0], tokens),
        divergence=float((np.exp(sure) * (sure - tried)).sum(axis=-1).mean()),
        regret=float((sure[rows, best] - sure[rows, chosen]).max()),
        agreed=int((best == chosen).sum()),
        positions=len(sure),
    )


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    normal: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normal


def check_tolerance(parity: Parity, model_id: str) -> None:
    """Raises ConversionInaccurate; what is no number is past every tolerance."""
    for what in ("shift", "divergence", "regret"):
        found, allowed = getattr(parity, what), getattr(parity.tolerance, what)
        if not found <= allowed:
            raise ConversionInaccurate(model_id, f"{what} {found:.3g} where {allowed:g} is allowed")
