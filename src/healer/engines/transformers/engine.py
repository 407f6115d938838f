"""MedGemma as an engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from healer.engines.base import (
    Answer,
    EngineInfo,
    Evidence,
    OnPictures,
    Question,
    StageTimer,
    ignore_pictures,
)
from healer.engines.vlm.adapter import adapter_name
from healer.engines.vlm.prompt import margin, mass, opening, short_hash
from healer.engines.vlm.sentence import one_sentence
from healer.engines.vlm.thinking import without_thoughts
from healer.errors.engine import ExtraNotInstalled, ModelNotReady, ModelUnsound
from healer.images.tile import Tile
from healer.weights.manifest import check_folder

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma
    from healer.settings.loading import Settings

log = structlog.get_logger(__name__)


class MedGemmaEngine:
    def __init__(self, gemma: Gemma, question: Question, info: EngineInfo) -> None:
        self.info = info
        self._question = question
        self._gemma: Gemma | None = gemma

    @classmethod
    def load(
        cls,
        folder: Path,
        question: Question,
        *,
        device: str,
        dtype: str,
        quantization: str,
        allow_fallback: bool,
        threads: int,
        adapter: Path | None = None,
    ) -> MedGemmaEngine:
        """Blocking; minutes for 4B. Values are those of Settings.

        Where 8-bit weights prove unsound and `allow_fallback` says so, loads again unquantised
        with a warning in `info`. `adapter` is a folder of `healer tune`. Raises ModelIncomplete,
        ModelAltered, AdapterIncomplete, AdapterMismatch, ExtraNotInstalled, DeviceUnavailable or
        ModelUnsound.
        """
        found = check_folder(folder)
        named = adapter_name(found, adapter)
        try:
            import torch

            from healer.engines.transformers import loading

            if threads > 0:
                torch.set_num_threads(threads)
            where = loading.pick_device(device)
            plan = loading.Plan(
                folder,
                question,
                found.model_id,
                where,
                dtype,
                loading.pick_quantization(quantization, where),
                adapter,
            )
            gemma, plan, warnings = loading.load(plan, allow_fallback=allow_fallback)
        except ImportError as error:
            extra = "tune" if error.name == "peft" else "medgemma"
            raise ExtraNotInstalled("medgemma", extra, str(error)) from error
        for warning in warnings:
            log.warning("medgemma", model_id=found.model_id, warning=warning)
        info = EngineInfo(
            engine="medgemma",
            model_id=found.model_id,
            revision=found.revision,
            device=plan.device,
            dtype=plan.dtype,
            quantization=plan.quantization,
            prompt_id=short_hash(gemma.prompt),
            preprocessing_id=short_hash(json.dumps(gemma.preprocessing, sort_keys=True)),
            adapter=named,
            warnings=tuple(warnings),
        )
        return cls(gemma, question, info)

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        """One prefill for all tiles; each evidence keeps its tile's KV cache in `state`.

        In 8-bit one prefill a tile: bitsandbytes picks outlier columns over a whole batch, so a
        tile's margin would shift with its neighbours.
        """
        if self.info.quantization == "8bit":
            return [evidence for tile in tiles for evidence in self._score_tiles([tile])]
        return self._score_tiles(tiles)

    def _score_tiles(self, tiles: Sequence[Tile]) -> list[Evidence]:
        gemma = self._ready()
        if not tiles:
            return []
        stages = StageTimer(tiles)
        logits, caches = gemma.prefill(tiles, stages.end_stage)
        if not bool(logits.isfinite().all()):
            raise ModelUnsound(self.info.model_id, "a tile gave logits that are not finite")
        stages.end_stage("forward")  # the device has been waited for just now
        tokens = gemma.answers
        return [
            Evidence(margin(row, tokens), mass(row, tokens), stages=stages, state=cache)
            for row, cache in zip(logits.numpy(force=True), caches, strict=True)
        ]

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        """Continues from the tile's KV cache: the vision tower does not run again."""
        from transformers import DynamicCache

        gemma = self._ready()
        if not isinstance(evidence.state, DynamicCache):
            raise TypeError("the evidence was not scored by this engine")
        start = opening(self._question, answer)
        return one_sentence(start, gemma.continue_text(evidence.state, start))

    def write(
        self,
        prompt: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,
    ) -> Iterator[str]:
        """Each picture is 256 tokens of MedGemma. Raises TooManyPictures."""
        gemma, model_id = self._ready(), self.info.model_id
        return without_thoughts(gemma.write(model_id, prompt, pictures, most_tokens, on_pictures))

    def close(self) -> None:
        self._gemma = None

    def _ready(self) -> Gemma:
        if self._gemma is None:
            raise ModelNotReady("the engine was closed")
        return self._gemma


def open_engine(settings: Settings, question: Question) -> MedGemmaEngine:
    return MedGemmaEngine.load(
        settings.model_dir,
        question,
        device=settings.device,
        dtype=settings.dtype,
        quantization=settings.quantization,
        allow_fallback=settings.allow_fallback,
        threads=settings.threads,
        adapter=settings.model_adapter,
    )
