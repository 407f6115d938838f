"""The graphs of a checkpoint, computed in float32 throughout, next to transformers' own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import Gemma3ForConditionalGeneration

from healer.conversion.checkpoint import Checkpoint, read_config
from healer.conversion.describe import attention_of, image_of, load_processor
from healer.conversion.language import build_language
from healer.conversion.vision import build_vision
from healer.engines.openvino.cache import Snapshot
from healer.engines.openvino.language import Language
from healer.engines.openvino.run import RuntimeRun
from healer.engines.transformers.loading import quiet
from healer.engines.vlm.prompt import messages_of_many
from healer.images.tile import Tile
from tests.gemma import PINK, prompt_inputs

Floats = NDArray[np.float32]
EXACT = {
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "KV_CACHE_PRECISION": "f32",
    "INFERENCE_NUM_THREADS": 1,
}


class Graphs:
    def __init__(self, folder: Path, kind: Literal["int8", "int4"] = "int8") -> None:
        self.checkpoint, self.config = Checkpoint(folder, "m"), read_config(folder, "m")
        image = image_of(load_processor(folder), self.config, "m")
        core = ov.Core()
        seeing = build_vision(self.checkpoint, self.config, image, kind, lambda: None)
        self.built = build_language(self.checkpoint, self.config, kind, lambda: None)
        self.vision = core.compile_model(seeing, "CPU", EXACT)
        self.language = core.compile_model(self.built, "CPU", EXACT)
        self.model = Language(self.language, attention_of(self.config.text_config))

    def features(self, pixels: NDArray[np.uint8]) -> Floats:
        found: Floats = self.vision(pixels)["features"]
        return found.copy()

    def text(self, at: Snapshot | None = None) -> RuntimeRun:
        """One cache of its own."""
        return RuntimeRun(self.model.graph, at)


class Torch:
    """The checkpoint in float32, loaded as a whole."""

    def __init__(self, folder: Path) -> None:
        with quiet():
            self.model: Any = Gemma3ForConditionalGeneration.from_pretrained(
                folder, dtype=torch.float32
            )
        self.processor: Any = load_processor(folder)
        self.inputs = prompt_inputs(self.processor, PINK)
        self.ids: list[int] = self.inputs["input_ids"][0].tolist()

    def show(self, text: str, tiles: Sequence[Tile]) -> None:
        """From now on the prompt is `text` and all of `tiles`."""
        prompt = self.processor.apply_chat_template(
            messages_of_many(text, len(tiles)), tokenize=False, add_generation_prompt=True
        )
        pictures = [Image.fromarray(tile.pixels) for tile in tiles]
        self.inputs = dict(
            self.processor(
                text=[prompt], images=[pictures], return_tensors="pt", add_special_tokens=False
            )
        )
        self.ids = self.inputs["input_ids"][0].tolist()

    @torch.inference_mode()
    def features(self) -> Floats:
        """Of all pictures, one below the other."""
        found = self.model.model.get_image_features(self.inputs["pixel_values"]).pooler_output
        return np.asarray(found.flatten(0, 1))

    @torch.inference_mode()
    def logits(self, more: list[int], *, both_ways: bool = True) -> Floats:
        """float32 (positions, vocabulary) of the prompt and `more`."""
        ids = torch.tensor([self.ids + more])
        types = (ids == self.model.config.image_token_id).long()
        if not both_ways:
            types = torch.zeros_like(types)
        pixels = self.inputs["pixel_values"]
        return np.asarray(
            self.model(input_ids=ids, pixel_values=pixels, token_type_ids=types).logits[0]
        )


def kinds(compiled: Any) -> Counter[str]:  # noqa: ANN401
    """What the plugin made of the graph: how often it runs each kind of layer."""
    layers = compiled.get_runtime_model().get_ops()
    return Counter(str(layer.get_rt_info()["layerType"].astype(str)) for layer in layers)
