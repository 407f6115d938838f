"""The language graph for steps of one token alone: its shapes are known, so that none is worked out
at each step, and what reads a prompt's chunks is gone.

It is a second graph over the same weights, and takes next to no memory only where those are not
packed for each: where products are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openvino

from healer.engines.openvino.attention import STANDARD
from healer.engines.openvino.conversion_record import Attention

STEP = 0  # which input of the concatenation that ends a layer's attention


def single_step(model: openvino.Model, seen: Attention) -> openvino.Model:
    """Of the same inputs, and the logits alone. `model` is used up."""
    for joined in list(_joined(model)):
        kept = joined.input_value(STEP)
        for target in joined.output(0).get_target_inputs():
            target.replace_source_output(kept)
    logits = model.output("logits").get_node().input_value(0)
    found = openvino.Model([logits], model.get_sinks(), model.get_parameters(), "single step")
    found.output(0).get_tensor().set_names({"logits"})
    found.reshape(_shapes(found, seen))
    return found


def _joined(model: openvino.Model) -> Iterator[Any]:
    """Where `conversion.attention` joins what the tokens of a step and of a chunk see."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Concat":
            continue
        if node.input_value(STEP).get_node().get_type_name() == STANDARD:
            yield node


def _shapes(model: openvino.Model, seen: Attention) -> dict[str, list[int]]:
    """Of the inputs; those of chunks, and features, are of no tokens."""
    found = {"token_ids": [1, 1], "step": [1], "chunk": [0]}
    for given in model.inputs:
        name = given.get_any_name()
        if name.startswith("past."):
            found[name] = [1, seen.heads, 0, seen.width]
        elif name.startswith(("cosine.", "sine.")):
            found[name] = [1, 1, 1, seen.width]
        elif name == "features":
            found[name] = [0, given.get_partial_shape()[1].get_length()]
    return found
