"""The pieces both graphs are made of, each in the pattern that OpenVINO's CPU plugin fuses.

Shapes are (batch, positions, width) unless said otherwise.
"""

from __future__ import annotations

import numpy as np
from openvino import opset13 as ops

from healer.conversion.checkpoint import Checkpoint
from healer.conversion.weights import Node, Stored, quantize
from healer.engines.openvino.conversion_record import Weights

SPLIT, JOIN = (0, 2, 1, 3), (0, 2, 1, 3)  # (batch, positions, heads, width) to heads first


class Nodes:
    """Nodes from the weights of `checkpoint`, its matrices stored as `kind`."""

    def __init__(self, checkpoint: Checkpoint, kind: Weights) -> None:
        self.checkpoint, self.kind = checkpoint, kind

    def matrix(self, name: str, kind: Weights | None = None) -> Node:
        """The weight (out, in), quantised."""
        checkpoint = self.checkpoint
        weight = quantize(
            lambda rows: checkpoint.read(name, rows), checkpoint.shape(name), kind or self.kind
        )
        return Stored(weight, name).matrix()

    def vector(self, name: str) -> Node:
        return ops.constant(self.checkpoint.read(name), name=name)

    def linear(self, x: Node, name: str) -> Node:
        """With the bias where the checkpoint has one."""
        product = ops.matmul(x, self.matrix(f"{name}.weight"), False, True)
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
