"""The network through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from healer.engines.builtin.session import NONE, Outputs, Pixels

# Squares that a thread scores at once where they are integers: four stay in its cache, and of
# floats not even two.
MOST_TOGETHER = 4


class OnnxSession:
    """For any number of threads: each call is computed by the thread that makes it."""

    def __init__(self, network: bytes, quantization: str = NONE, _threads: int = 1) -> None:
        self._session = open_inference(network)
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.together = 1 if quantization == NONE else MOST_TOGETHER

    def run(self, squares: Sequence[Pixels]) -> Outputs:
        values = self._session.run(self.outputs, {"pixels": np.stack(squares)})
        return dict(zip(self.outputs, values, strict=True))


def open_inference(network: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
