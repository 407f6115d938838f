"""Weights as nodes of a graph: small integers, in patterns that OpenVINO's CPU plugin fuses.

A row is one output channel. Int8 has one scale and zero point a row; int4 one of each for every
128 weights of a row. Shapes are (batch, positions, width) unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from healer.conversion.checkpoint import EMBEDDING, HEAD, Checkpoint, Floats
from healer.engines.openvino.conversion_record import Weights

Node = Any
Bytes = NDArray[np.uint8]
Read = Callable[[slice], Floats]
GROUP = 128
LEVELS = {"int8": 255, "int4": 15}
TYPES = {"int8": ov.Type.u8, "int4": ov.Type.u4}
SPLIT, JOIN = (0, 2, 1, 3), (0, 2, 1, 3)  # (batch, positions, heads, width) to heads first
ROWS_AT_ONCE = 16384  # of the embedding: a float32 copy of all of it would be 2.7 GB


@dataclass(frozen=True, slots=True)
class Quantized:
    """`values` (rows, groups, columns a group), `scale` and `zero` (rows, groups, 1)."""

    values: Bytes
    scale: Floats
    zero: Bytes
    kind: Weights


def quantize(read: Read, shape: tuple[int, ...], kind: Weights) -> Quantized:
    """Asymmetric, to the nearest level; `read` gives some rows of a (rows, columns) weight."""
    rows, columns = shape
    width = GROUP if kind == "int4" and columns % GROUP == 0 else columns
    groups = columns // width
    values = np.empty((rows, groups, width), np.uint8)
    scale = np.empty((rows, groups, 1), np.float32)
    zero = np.empty((rows, groups, 1), np.uint8)
    for first in range(0, rows, ROWS_AT_ONCE):
        part = slice(first, min(first + ROWS_AT_ONCE, rows))
        floats = read(part).reshape(-1, groups, width)
        values[part], scale[part], zero[part] = _levels(floats, LEVELS[kind])
    return Quantized(values, scale, zero, kind)


def _levels(floats: Floats, highest: int) -> tuple[Bytes, Floats, Bytes]:
    low = np.minimum(floats.min(axis=-1, keepdims=True), 0)
    high = np.maximum(floats.max(axis=-1, keepdims=True), 0)
    scale = np.where(high > low, (high - low) / highest, 1).astype(np.float32)
    zero = np.rint(-low / scale)
    levels = np.rint(floats / scale)
    levels += zero
    np.clip(levels, 0, highest, out=levels)
    return levels.astype(np.uint8), scale, zero.astype(np.uint8)


class Stored:
    """The weight as constants of a graph, which may be used more than once."""

    def __init__(self, weight: Quantized, name: str) -> None:
        rows, groups, width = weight.values.shape
        self._shape = [rows, groups * width]
        grouped = [groups] if groups > 1 else []
        self._values = _constant(weight.values, [rows, *grouped, width], weight.kind, name)
        self._zero = _constant(weight.zero, [rows, *grouped, 1], weight.kind, f"{name}/zero")
        self._scale = ops.constant(weight.scale.reshape([rows, *grouped, 1]), name=f"{name}/scale")

    def matrix(self) -> Node:
        """float32 (rows, columns)"""
        return self._floats(self._values, self._zero, self._scale, self._shape)

    def rows(self, indices: Node) -> Node:
        """float32 (..., columns) of the rows at `indices`; no other row is made float32."""
        values, zero, scale = (
            ops.gather(part, indices, np.int64(0))
            for part in (self._values, self._zero, self._scale)
        )
        return self._floats(values, zero, scale, [0, 0, self._shape[1]])

    def _floats(self, values: Node, zero: Node, scale: Node, shape: list[int]) -> Node:
        floats = ops.subtract(ops.convert(values, "f32"), ops.convert(zero, "f32"))
        scaled = ops.multiply(floats, scale)
        if len(scaled.get_output_partial_shape(0)) == len(shape):
            return scaled
        return ops.reshape(scaled, np.array(shape), special_zero=True)


def _constant(values: Bytes, shape: list[int], kind: Weights, name: str) -> Node:
    packed: Any = values.reshape(-1)
    if kind == "int4":  # two to a byte, the first in its lower half
        even = np.append(packed, np.zeros(packed.size % 2, np.uint8))
        packed = even[::2] | (even[1::2] << np.uint8(4))
    tensor = ov.Tensor(packed, ov.Shape(shape), TYPES[kind])  # borrows; the constant must copy
    return ops.constant(tensor, name=name, shared_memory=False)


class Nodes:
    """Nodes from the weights of `checkpoint`, its matrices stored as `kind`."""

    def __init__(self, checkpoint: Checkpoint, kind: Weights) -> None:
        self.checkpoint, self.kind = checkpoint, kind

    def matrix(self, name: str) -> Node:
        """The weight (out, in), quantised."""
        shape = self.checkpoint.shape(name)

        def read(rows: slice) -> Floats:
            return self.checkpoint.read(name, rows)

        return Stored(quantize(read, shape, self.kind), name).matrix()

    def vector(self, name: str) -> Node:
        return ops.constant(self.checkpoint.read(name), name=name)

    def linear(self, x: Node, name: str) -> Node:
        """With the bias where the checkpoint has one."""
        matrix = self.matrix(f"{name}.weight")
        product = ops.matmul(x, matrix, False, True)
        if f"{name}.bias" not in self.checkpoint:
            return product
        return ops.add(product, self.vector(f"{name}.bias"))

    def rms_norm(self, x: Node, name: str, epsilon: float) -> Node:
        """Gemma's: scaled by 1 + weight."""
        gain = ops.constant(1 + self.checkpoint.read(f"{name}.weight"), name=f"{name}.weight")
        mean = ops.reduce_mean(ops.power(x, np.float32(2)), np.array([-1]), True)
        root = ops.sqrt(ops.add(mean, np.float32(epsilon)))
        return ops.multiply(gain, ops.multiply(x, ops.divide(np.float32(1), root)))

    def layer_norm(self, x: Node, name: str, epsilon: float) -> Node:
        centred = ops.mvn(x, np.array([-1]), True, epsilon, "inside_sqrt")
        scaled = ops.multiply(centred, self.vector(f"{name}.weight"))
        return ops.add(scaled, self.vector(f"{name}.bias"))


def heads_first(x: Node, heads: int, width: int) -> Node:
    """(batch, positions, heads * width) to (batch, heads, positions, width)."""
    split = ops.reshape(x, np.array([0, 0, heads, width]), special_zero=True)
    return ops.transpose(split, np.array(SPLIT))


def heads_joined(x: Node, width: int) -> Node:
    """(batch, heads, positions, ·) to (batch, positions, width)."""
    turned = ops.transpose(x, np.array(JOIN))
    return ops.reshape(turned, np.array([0, 0, width]), special_zero=True)


class Embedding:
    """Tokens to vectors and back, one constant for both where the model ties them. Always int8:
    four bits cost most here."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._rows = stored_embedding(checkpoint, EMBEDDING)
        self._head = stored_embedding(checkpoint, HEAD) if HEAD in checkpoint else self._rows
        self._scale = embedding_scale(checkpoint)

    def of(self, tokens: Node) -> Node:
        """(1, L, width) of `tokens` (1, L)."""
        return ops.multiply(self._rows.rows(tokens), self._scale)

    def logits(self, x: Node) -> Node:
        return ops.matmul(x, self._head.matrix(), False, True)


def stored_embedding(checkpoint: Checkpoint, name: str) -> Stored:
    rows = quantize(lambda part: checkpoint.read(name, part), checkpoint.shape(name), "int8")
    return Stored(rows, name)


def embedding_scale(checkpoint: Checkpoint) -> np.float32:
    """The root of the width, rounded to the weights' own format as in transformers."""
    root = np.float32(checkpoint.shape(EMBEDDING)[1] ** 0.5)
    if checkpoint.dtype != "BF16":
        return np.float32(root.astype(np.float16)) if checkpoint.dtype == "F16" else root
    bits = int(root.view(np.uint32))
    bits += 0x7FFF + (bits >> 16 & 1)  # to the nearest, ties to even
    return np.uint32(bits & 0xFFFF0000).view(np.float32)
