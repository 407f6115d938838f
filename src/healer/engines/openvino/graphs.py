"""What Gemma 3's image processor does to a picture, up to where the vision graph takes over.

The processor of the transformers library resizes with Pillow to a square, whatever the picture's
shape, then rescales and normalises; the last two are the first layers of the converted graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from PIL import Image

from healer.engines.openvino.cache import Floats, Snapshot
from healer.images.tile import Tile

Pixels = NDArray[np.uint8]


def squared(tile: Tile, size: int, resample: int) -> Pixels:
    """The tile as RGB uint8 of shape (size, size, 3); `resample` is Pillow's number."""
    picture = Image.fromarray(tile.pixels)
    return np.asarray(picture.resize((size, size), Image.Resampling(resample)))


ARITHMETIC = {"f32": "float32", "bf16": "bfloat16"}


class Vision:
    """`attention` names its numbers where they are not those of the other layers."""

    def __init__(self, compiled: openvino.CompiledModel, attention: str | None = None) -> None:
        self.request = compiled.create_infer_request()
        hint: openvino.Type = compiled.get_property("INFERENCE_PRECISION_HINT")
        # What is computed in where weights are not quantised, such as norms.
        self.arithmetic = ARITHMETIC.get(hint.get_type_name(), hint.get_type_name())
        if attention:
            self.arithmetic += f"+{attention}-attention"

    def features(self, pixels: Pixels) -> Floats:
        return np.array(self.request.infer({"pixels": pixels[None]})["features"][0])


class Language:
    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._compiled = compiled
        width = compiled.input("features").partial_shape[1].get_length()
        self._no_features: Floats = np.empty((0, width), np.float32)

    def run(self, at: Snapshot | None = None) -> Run:
        """A text of its own, begun afresh or taken up where `at` was saved."""
        return Run(self._compiled.create_infer_request(), at, self._no_features)


class Run:
    """One text: `length` tokens so far, in a state that no other run touches."""

    def __init__(self, request: Any, at: Snapshot | None, no_features: Floats) -> None:  # noqa: ANN401
        self._request, self._no_features = request, no_features
        self.length = 0
        if at is not None:
            for state in request.query_state():
                state.state = openvino.Tensor(at.states[state.name])
            self.length = at.length

    def step(self, tokens: Sequence[int], features: Floats | None = None) -> Floats:
        """Float32 logits (vocabulary,) of what follows `tokens`.

        `features` are rows for the image tokens among them.
        """
        given = {
            "token_ids": np.array([tokens], np.int64),
            "features": self._no_features if features is None else features,
            "beam_idx": np.zeros(1, np.int32),
        }
        found = self._request.infer(given)
        self.length += len(tokens)
        return np.array(found["logits"][0])

    def save(self) -> Snapshot:
        states = {each.name: each.state.data.copy() for each in self._request.query_state()}
        return Snapshot(states, self.length)
