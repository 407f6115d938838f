"""Tokens to vectors and back: one int8 constant for both, where the model ties them."""

from __future__ import annotations

import numpy as np
from openvino import opset13 as ops

from healer.optimize.checkpoint import EMBEDDING, HEAD, Checkpoint
from healer.optimize.weights import Node, Stored, quantize


class Embedding:
    """Always int8: four bits cost most here."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._rows = stored(checkpoint, EMBEDDING)
        self._head = stored(checkpoint, HEAD) if HEAD in checkpoint else self._rows
        self._scale = scale(checkpoint)

    def of(self, tokens: Node) -> Node:
        """(1, L, width) of `tokens` (1, L)."""
        return ops.multiply(self._rows.rows(tokens), self._scale)

    def logits(self, x: Node) -> Node:
        return ops.matmul(x, self._head.matrix(), False, True)


def stored(checkpoint: Checkpoint, name: str) -> Stored:
    rows = quantize(lambda part: checkpoint.read(name, part), checkpoint.shape(name), "int8")
    return Stored(rows, name)


def scale(checkpoint: Checkpoint) -> np.float32:
    """The root of the width, rounded to the weights' own format as in transformers."""
    root = np.float32(checkpoint.shape(EMBEDDING)[1] ** 0.5)
    if checkpoint.dtype != "BF16":
        return np.float32(root.astype(np.float16)) if checkpoint.dtype == "F16" else root
    bits = int(root.view(np.uint32))
    bits += 0x7FFF + (bits >> 16 & 1)  # to the nearest, ties to even
    return np.uint32(bits & 0xFFFF0000).view(np.float32)


def placed(embedded: Node, features: Node, seen: Node) -> Node:
    """`embedded` (1, L, width) with the rows of `features` where `seen` (1, L) is 1, in order."""
    width = features.get_output_partial_shape(0)[1].get_length()
    nothing = ops.constant(np.zeros((1, width), np.float32))  # so that there may be no features
    rows = ops.multiply(ops.cum_sum(seen, np.int64(1)), seen)
    chosen = ops.gather(ops.concat([nothing, features], 0), rows, np.int64(0))
    is_image = ops.unsqueeze(ops.convert(seen, "boolean"), np.array([2]))
    return ops.select(is_image, chosen, embedded)
