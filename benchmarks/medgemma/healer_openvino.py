"""Healer's own engine for CPUs, as it is served."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.medgemma.systems import RunSpec, Tick
from healer.engines.base import Answer
from healer.engines.openvino import loading
from healer.engines.openvino.conversion_record import check_conversion
from healer.engines.openvino.engine import OpenVINOEngine
from healer.engines.openvino.model import Gemma
from healer.engines.vlm.prompt import opening
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.settings.loading import Settings

if TYPE_CHECKING:
    from healer.images.tile import Tile


class HealerOpenVINO:
    def __init__(self, gemma: Gemma) -> None:
        self._gemma = gemma
        self.versions = {name: version(name) for name in ("openvino", "tokenizers")}
        self.prompt_tokens = 0
        OpenVINOEngine(gemma, COLORECTAL_CANCER)  # makes the same checks as when serving

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        gemma = self._gemma
        prompt = gemma.prompt(question)
        self.prompt_tokens = len(prompt.ids)
        _, prompted = gemma.prefill(tile, prompt)
        tick()
        if not tokens:
            return
        start = opening(COLORECTAL_CANCER, Answer.YES)
        given = gemma.tokenizer.encode(start, add_special_tokens=False).ids
        logits, opened = gemma.language.read_on(prompted, given)
        run = gemma.language.run(opened)
        tick()
        for _ in range(tokens - 1):
            logits = run.step([int(logits.argmax())])
            tick()


def load(spec: RunSpec) -> HealerOpenVINO:
    settings = Settings.model_fields
    gemma = loading.load(
        spec.folder,
        check_conversion(spec.folder),
        threads=spec.threads,
        dtype=settings["dtype"].default,
        cache_mb=settings["image_cache_mb"].default,
    )
    return HealerOpenVINO(gemma)
