"""OpenVINO GenAI, on `genai/` in the checkpoint's folder, which optimum makes:

optimum-cli export openvino --model CHECKPOINT --task image-text-to-text --weight-format int8 \
    CHECKPOINT/genai && cp CHECKPOINT/preprocessor_config.json CHECKPOINT/genai/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import openvino
import openvino_genai

from benchmarks.errors import SystemMissing
from benchmarks.medgemma.systems import RunSpec, Tick

if TYPE_CHECKING:
    from healer.images.tile import Tile


class Ticking(openvino_genai.StreamerBase):  # type: ignore[misc]
    def __init__(self, tick: Tick) -> None:
        super().__init__()
        self._tick = tick

    def write(self, token: int | list[int]) -> openvino_genai.StreamingStatus:
        for _ in token if isinstance(token, list) else [token]:
            self._tick()
        return openvino_genai.StreamingStatus.RUNNING

    def end(self) -> None:
        pass


class GenAI:
    def __init__(self, pipeline: openvino_genai.VLMPipeline) -> None:
        self._pipeline = pipeline
        self.versions = {"openvino-genai": openvino_genai.__version__}
        self.prompt_tokens = 0

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = tokens + 1
        config.do_sample, config.ignore_eos = False, True
        done = self._pipeline.generate(
            question,
            images=[openvino.Tensor(np.ascontiguousarray(tile.pixels)[None])],
            generation_config=config,
            streamer=Ticking(tick),
        )
        self.prompt_tokens = done.perf_metrics.get_num_input_tokens()


def load(spec: RunSpec) -> GenAI:
    if not spec.folder.is_dir():
        raise SystemMissing("openvino-genai", f"there is no folder {spec.folder}")
    return GenAI(openvino_genai.VLMPipeline(str(spec.folder), "CPU"))
