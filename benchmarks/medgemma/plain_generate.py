"""Plain `generate` over a batch of tiles on any device, as transformers' documentation has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

if TYPE_CHECKING:
    from healer.images.tile import Tile


class Generate:
    how = "generate"

    def __init__(self, folder: Path, device: str, question: str) -> None:
        self._question = question
        self._model: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.bfloat16, device_map={"": device}, local_files_only=True
        )
        self._processor: Any = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, padding_side="left"
        )
        self.prompt_tokens = 0

    def verdicts(self, tiles: Sequence[Tile]) -> None:
        self.answers(tiles, 0)

    def answers(self, tiles: Sequence[Tile], tokens: int) -> None:
        """The first answer token and `tokens` more, whichever they are."""
        inputs = self._inputs(tiles)
        self.prompt_tokens = int(inputs["input_ids"].shape[-1])
        with torch.inference_mode():
            written = self._model.generate(
                **inputs,
                do_sample=False,
                top_k=None,
                top_p=None,
                min_new_tokens=tokens + 1,
                max_new_tokens=tokens + 1,
            )
        written.tolist()  # waits for the device

    def _inputs(self, tiles: Sequence[Tile]) -> Any:  # noqa: ANN401
        return self._processor.apply_chat_template(
            [self._messages(tile) for tile in tiles],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device, dtype=torch.bfloat16)

    def _messages(self, tile: Tile) -> list[dict[str, object]]:
        picture = {"type": "image", "image": Image.fromarray(tile.pixels)}
        return [{"role": "user", "content": [picture, {"type": "text", "text": self._question}]}]
