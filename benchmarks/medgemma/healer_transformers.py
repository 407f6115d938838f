"""Healer's transformers engine on the CPU, in bfloat16 or 8-bit.

It is loaded by the engine's own steps, scoring its known tile among them; only what that tile is
answered is not judged, for random weights put next to nothing on yes or no.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import torch

from benchmarks.medgemma.systems import RunSpec, Tick
from healer.engines.base import Answer, Question
from healer.engines.transformers.loading import Plan, offline, quiet, read
from healer.engines.transformers.model import Gemma, check_answers, check_layers, check_report, fork
from healer.engines.vlm.prompt import messages, opening
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.weights.manifest import check_folder

if TYPE_CHECKING:
    from healer.images.tile import Tile


def libraries_of(quantization: str) -> tuple[str, ...]:
    return ("torch", "transformers", *["bitsandbytes"] * (quantization == "8bit"))


class HealerMedGemma:
    def __init__(self, gemma: Gemma, libraries: tuple[str, ...]) -> None:
        self._gemma = gemma
        self.versions = {name: version(name) for name in libraries}
        self.prompt_tokens = 0

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        gemma = self._gemma
        benchmark_question = Question("benchmark", question, COLORECTAL_CANCER.subject)
        gemma.prompt = gemma.processor.apply_chat_template(
            messages(benchmark_question), tokenize=False, add_generation_prompt=True
        )
        _, caches = gemma.prefill([tile])
        tick()
        self.prompt_tokens = caches[0].get_seq_length()
        if not tokens:
            return
        start = opening(COLORECTAL_CANCER, Answer.YES)
        given = gemma.tokenizer.encode(start, add_special_tokens=False)
        cache = fork(caches[0], 0)
        for _ in range(tokens):
            given = [gemma.step(cache, given)]
            tick()


def load(spec: RunSpec, quantization: str = "none") -> HealerMedGemma:
    if spec.threads:
        torch.set_num_threads(spec.threads)
    model_id = check_folder(spec.folder).model_id
    plan = Plan(spec.folder, COLORECTAL_CANCER, model_id, "cpu", "bfloat16", quantization)
    with offline(), quiet():
        gemma, report = read(plan)
        check_report(model_id, report)
        if plan.quantized:
            check_layers(model_id, gemma.model)
        check_answers(model_id, gemma)
    return HealerMedGemma(gemma, libraries_of(quantization))
