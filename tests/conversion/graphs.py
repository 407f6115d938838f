"""The graphs of a checkpoint, computed in float32 throughout, next to transformers' own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from transformers import Gemma3ForConditionalGeneration

from healer.conversion.checkpoint import Checkpoint, read_config
from healer.conversion.describe import image_of, load_processor
from healer.conversion.language import build_language
from healer.conversion.vision import build_vision
from healer.engines.transformers.loading import quiet
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
        self.language_model = build_language(self.checkpoint, self.config, kind, lambda: None)
        self.vision = core.compile_model(seeing, "CPU", EXACT)
        self.language = core.compile_model(self.language_model, "CPU", EXACT)

    def features(self, pixels: NDArray[np.uint8]) -> Floats:
        found: Floats = self.vision(pixels)["features"]
        return found.copy()

    def text(self) -> Text:
        return Text(self.language)


class Text:
    """One cache of its own."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401
        self._request = compiled.create_infer_request()
        width = compiled.input("features").partial_shape[1].get_length()
        self._nothing = np.empty((0, width), np.float32)

    def logits(self, ids: list[int], features: Floats | None = None) -> Floats:
        given = {
            "token_ids": np.array([ids]),
            "features": self._nothing if features is None else features,
            "beam_idx": np.zeros(1, np.int32),
        }
        found: Floats = self._request.infer(given)["logits"][0].copy()
        return found


class Torch:
    """The checkpoint in float32, loaded as a whole."""

    def __init__(self, folder: Path) -> None:
        with quiet():
            self.model: Any = Gemma3ForConditionalGeneration.from_pretrained(
                folder, dtype=torch.float32
            )
        self.inputs = prompt_inputs(load_processor(folder), PINK)
        self.ids: list[int] = self.inputs["input_ids"][0].tolist()

    @torch.inference_mode()
    def features(self) -> Floats:
        found = self.model.model.get_image_features(self.inputs["pixel_values"]).pooler_output
        return np.asarray(found[0])

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
