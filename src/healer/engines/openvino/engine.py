"""MedGemma, converted by `healer optimize`, as an engine on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from healer.engines.base import (
    Answer,
    EngineInfo,
    Evidence,
    OnPictures,
    Question,
    StageTimer,
    ignore_pictures,
)
from healer.engines.openvino import converted_folder
from healer.engines.openvino.cache import Snapshot
from healer.engines.openvino.conversion_record import Described, check_conversion
from healer.engines.vlm.adapter import read_adapter
from healer.engines.vlm.prompt import (
    chat_text,
    find_answer_tokens,
    margin,
    mass,
    opening,
    short_hash,
)
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, one_sentence
from healer.engines.vlm.thinking import without_thoughts
from healer.errors.engine import AdapterNotMerged, ExtraNotInstalled, ModelNotReady, ModelUnsound
from healer.images.tile import Tile

if TYPE_CHECKING:
    from healer.engines.openvino.model import Gemma
    from healer.settings.loading import Settings


class OpenVINOEngine:
    """Not for two threads at once, but explanations may be taken turn by turn."""

    def __init__(self, gemma: Gemma, question: Question) -> None:
        self.info = info_of(gemma, question)
        self._question = question
        self._answers = find_answer_tokens(gemma.tokenizer)
        self._prompt = gemma.prompt(question.text)
        self._gemma: Gemma | None = gemma
        self._check(gemma)

    @classmethod
    def load(
        cls,
        folder: Path,
        question: Question,
        *,
        threads: int,
        dtype: str,
        cache_mb: int,
        adapter: Path | None = None,
    ) -> OpenVINOEngine:
        """Blocking; seconds for 4B. `folder` is of `healer optimize`, values are those of Settings.

        Raises ConversionIncomplete, ConversionAltered, AdapterIncomplete, AdapterNotMerged,
        ExtraNotInstalled or ModelUnsound.
        """
        record = check_conversion(folder)
        check_adapter(folder, record, adapter)
        try:
            from healer.engines.openvino import loading
        except ImportError as error:
            raise ExtraNotInstalled("openvino", "openvino", str(error)) from error
        try:
            gemma = loading.load(folder, record, threads=threads, dtype=dtype, cache_mb=cache_mb)
        except Exception as error:  # OpenVINO and tokenizers raise what they please
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelUnsound(
                record.source.model_id, f"it could not be loaded ({cause})"
            ) from error
        return cls(gemma, question)

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        """Tile by tile, so that none is moved by its neighbours. Raises ModelUnsound."""
        return [self._score_tile(tile) for tile in tiles]

    def _score_tile(self, tile: Tile) -> Evidence:
        stages = StageTimer([tile])
        logits, prompted = self._ready().prefill(tile, self._prompt, stages.end_stage)
        if not np.isfinite(logits).all():
            raise ModelUnsound(self.info.model_id, "a tile gave logits that are not finite")
        return Evidence(
            margin(logits, self._answers),
            mass(logits, self._answers),
            stages=stages,
            state=prompted,
        )

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        """Goes on from the tile's keys and values: neither image nor question is read again."""
        if not isinstance(evidence.state, Snapshot):
            raise TypeError("the evidence was not scored by this engine")
        start = opening(self._question, answer)
        return one_sentence(start, self._ready().continue_text(evidence.state, start))

    def write(
        self,
        prompt: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,
    ) -> Iterator[str]:
        """Each picture is 256 tokens of MedGemma. Raises TooManyPictures."""
        read = count(1)

        def end_stage(stage: str) -> None:
            if stage == "vision":
                on_pictures(next(read))

        return without_thoughts(self._ready().write(prompt, pictures, most_tokens, end_stage))

    def close(self) -> None:
        self._gemma = None

    def _ready(self) -> Gemma:
        if self._gemma is None:
            raise ModelNotReady("the engine was closed")
        return self._gemma

    def _check(self, gemma: Gemma) -> None:
        """What can be checked without an image; parity was measured when converting."""
        tokens, image = gemma.record.tokens, gemma.record.image
        ids, model_id = self._prompt.ids, self.info.model_id
        if not (self._answers.yes and self._answers.no):
            raise ModelUnsound(model_id, "its tokenizer has no single token for yes or for no")
        if ids[0] != tokens.bos or ids.count(tokens.image) != image.tokens:
            raise ModelUnsound(model_id, "its tokenizer does not spell the prompt it was given")
        starts = (opening(self._question, answer) for answer in Answer)
        longest = max(len(gemma.tokenizer.encode(start).ids) for start in starts)
        if len(ids) + longest + MAX_NEW_TOKENS > tokens.window:
            raise ModelUnsound(
                model_id, f"{len(ids)} tokens of prompt leave no room among its {tokens.window}"
            )


def open_engine(settings: Settings, question: Question) -> OpenVINOEngine:
    return OpenVINOEngine.load(
        converted_folder(settings.model_dir),
        question,
        threads=settings.threads,
        dtype=settings.dtype,
        cache_mb=settings.image_cache_mb,
        adapter=settings.model_adapter,
    )


def info_of(gemma: Gemma, question: Question) -> EngineInfo:
    record = gemma.record
    kinds = dict.fromkeys((record.precision.vision, record.precision.language))
    merged = record.source.adapter
    return EngineInfo(
        engine="openvino",
        model_id=record.source.model_id,
        revision=record.source.revision,
        device="cpu",
        dtype=gemma.arithmetic,
        quantization="+".join(kinds),
        prompt_id=short_hash(chat_text(question.text)),
        preprocessing_id=short_hash(record.image.model_dump_json()),
        adapter=f"merged-{merged}" if merged else None,
    )


def check_adapter(folder: Path, record: Described, adapter: Path | None) -> None:
    """Weights were rounded with the adapter in them, or without: it cannot be put on now."""
    if adapter is not None and read_adapter(adapter).id != record.source.adapter:
        raise AdapterNotMerged(str(adapter), str(folder))
