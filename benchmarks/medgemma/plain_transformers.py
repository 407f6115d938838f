"""transformers as MedGemma's model card shows it: `generate`, in bfloat16 or 8-bit."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
from transformers.generation.streamers import BaseStreamer

from benchmarks.medgemma.systems import RunSpec, Tick

if TYPE_CHECKING:
    from healer.images.tile import Tile

LIBRARIES = ("torch", "transformers")


class Ticking(BaseStreamer):
    """`generate` gives it the prompt first, then each token as it is known."""

    def __init__(self, tick: Tick) -> None:
        self._tick, self._begun = tick, False

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002
        if self._begun:
            self._tick()
        self._begun = True

    def end(self) -> None:
        pass


class Plain:
    def __init__(self, model: Any, processor: Any, libraries: tuple[str, ...]) -> None:  # noqa: ANN401
        self._model, self._processor = model, processor
        self.versions = {name: version(name) for name in libraries}
        self.prompt_tokens = 0

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        inputs = self._inputs(tile, question)
        self.prompt_tokens = int(inputs["input_ids"].shape[-1])
        with torch.inference_mode():
            self._model.generate(
                **inputs,
                do_sample=False,
                top_k=None,
                top_p=None,
                min_new_tokens=tokens + 1,
                max_new_tokens=tokens + 1,
                streamer=Ticking(tick),
            )

    def _inputs(self, tile: Tile, question: str) -> Any:  # noqa: ANN401
        content = [
            {"type": "image", "image": Image.fromarray(tile.pixels)},
            {"type": "text", "text": question},
        ]
        return self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device, dtype=torch.bfloat16)


def load(spec: RunSpec, quantization: str | None = None) -> Plain:
    """`quantization` "8bit" is bitsandbytes', as its own documentation loads it."""
    if spec.threads:
        torch.set_num_threads(spec.threads)
    how = {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)} if quantization else {}  # type: ignore[no-untyped-call]
    model = AutoModelForImageTextToText.from_pretrained(
        spec.folder, dtype=torch.bfloat16, device_map="cpu", local_files_only=True, **how
    )
    processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        spec.folder, local_files_only=True
    )
    return Plain(model, processor, (*LIBRARIES, *["bitsandbytes"] * bool(quantization)))
