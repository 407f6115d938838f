"""Where tokens are: rotary angles, and who may look at whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as ops

from healer.conversion.checkpoint import Floats
from healer.conversion.weights import Node

MASKED = np.float32(-1e9)  # added to a score, leaves nothing of its weight
END = np.iinfo(np.int64).max


def last(x: Node) -> Node:
    """(1, 1, width) of `x` (1, L, width)."""
    return part(x, -1, END, 1)


def part(x: Node, start: int, stop: int, axis: int) -> Node:
    return ops.slice(x, np.array([start]), np.array([stop]), np.array([1]), np.array([axis]))


def tables(text: Any, kind: str) -> tuple[Floats, Floats]:  # noqa: ANN401
    """Cosine and sine (window, head width) of a layer type's angles.

    Tables rather than arithmetic in the graph, which a runtime would do in bfloat16.
    """
    parameters = text.rope_parameters[kind]
    exponents = np.arange(0, text.head_dim, 2, dtype=np.float32) / np.float32(text.head_dim)
    frequencies = 1 / np.float32(parameters["rope_theta"]) ** exponents
    frequencies /= np.float32(parameters.get("factor", 1))
    positions = np.arange(text.sliding_window, dtype=np.float32)
    angles = np.tile(positions[:, None] * frequencies, 2)
    return np.cos(angles), np.sin(angles)


def rotations(positions: Node, cosine: Floats, sine: Floats) -> tuple[Node, Node]:
    """Rows of the tables, (1, 1, L, head width)."""
    cosines, sines = (
        ops.unsqueeze(ops.gather(ops.constant(table), positions, np.int64(0)), np.array([0, 1]))
        for table in (cosine, sine)
    )
    return cosines, sines


def rotated(x: Node, cosine: Node, sine: Node) -> Node:
    """`x` (1, heads, L, head width) turned by its position."""
    half = x.get_output_partial_shape(0)[3].get_length() // 2
    upper = ops.multiply(part(x, half, END, 3), np.float32(-1))
    turned = ops.concat([upper, part(x, 0, half, 3)], -1)
    return ops.add(ops.multiply(x, cosine), ops.multiply(turned, sine))


def blocks(seen: Node) -> Node:
    """The number of its image (L,), from 1, at each image token, where `seen` is 1; else 0."""
    before = ops.concat([np.zeros(1, np.int32), part(seen, 0, -1, 0)], 0)
    begun = ops.multiply(seen, ops.subtract(ops.constant(np.int32(1)), before))
    return ops.multiply(ops.cum_sum(begun, np.int64(0)), seen)


def attention_mask(past: Node, new: Node, block: Node) -> Node:
    """(1, 1, L, past + L): every token sees those before it, and those of its own image.

    `past` and `new` (1,) are counts; an image's tokens are all among the new ones.
    """
    total = ops.squeeze(ops.add(past, new), np.array([0]))
    columns = ops.range(np.int64(0), total, np.int64(1), "i64")
    rows = ops.add(
        ops.range(np.int64(0), ops.squeeze(new, np.array([0])), np.int64(1), "i64"), past
    )
    row, column = ops.unsqueeze(rows, np.array([1])), ops.unsqueeze(columns, np.array([0]))
    theirs = ops.concat([ops.broadcast(np.int32(0), past), block], 0)
    own, theirs = ops.unsqueeze(block, np.array([1])), ops.unsqueeze(theirs, np.array([0]))
    together = ops.logical_and(ops.equal(own, theirs), ops.greater(own, np.int32(0)))
    seen = ops.logical_or(ops.less_equal(column, row), together)
    return ops.unsqueeze(ops.select(seen, np.float32(0), MASKED), np.array([0, 1]))
