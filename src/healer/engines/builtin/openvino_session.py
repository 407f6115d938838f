"""The network through OpenVINO, read from the same file.

It is compiled for two numbers of squares: eight at once take OpenVINO less than two thirds as long
as eight one by one, and one alone must not wait for seven. Each is compiled when needed, in a
second or two, and then checked against ONNX Runtime: OpenVINO 2026.4 misreads one operation
(`ReduceLogSumExp`, so that the tiles of a batch are mixed), and nothing says so.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino

import healer.engines.openvino  # noqa: F401 - keeps the next import from sending telemetry
from healer.engines.builtin.onnx_session import OnnxSession
from healer.engines.builtin.session import MODEL_ID, SCORES, SIDE, Outputs, Pixels
from healer.errors.engine import ModelUnsound

MOST_TOGETHER = 8
MOST_ALONE = 4  # so many take as long one by one as eight at once
# Of log-probabilities. On noise, integers of the one and of the other are 0.08 apart.
TOLERANCE = 0.25
Request = Any  # OpenVINO publishes no types


class Requests(threading.local):
    """Those of the calling thread, by the number of squares."""

    def __init__(self) -> None:
        self.by_size: dict[int, Request] = {}


class OpenVinoSession:
    """For `threads` threads: each call is computed by the thread that makes it."""

    together = MOST_TOGETHER

    def __init__(self, network: bytes, quantization: str, threads: int) -> None:
        self._network = network
        self._reference = OnnxSession(network, quantization)
        self.outputs = self._reference.outputs
        self._core = openvino.Core()
        self._config = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Other processes may do the same: none of them shall own a core.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",  # of what is not in integers
        }
        self._compiling = threading.Lock()
        self._compiled: dict[int, openvino.CompiledModel] = {}
        self._requests = Requests()

    def run(self, squares: Sequence[Pixels]) -> Outputs:
        size = 1 if len(squares) <= MOST_ALONE else MOST_TOGETHER
        request = self._request(size)
        parts = [squares[start : start + size] for start in range(0, len(squares), size)]
        found = [infer(request, part, self.outputs) for part in parts]
        return {name: np.concatenate([each[name] for each in found]) for name in self.outputs}

    def _request(self, size: int) -> Request:
        known = self._requests.by_size
        if size not in known:
            with self._compiling:
                if size not in self._compiled:
                    self._compiled[size] = self._compile(size)
            known[size] = self._compiled[size].create_infer_request()
        return known[size]

    def _compile(self, size: int) -> openvino.CompiledModel:
        model = self._core.read_model(self._network)
        model.reshape([size, 3, SIDE, SIDE])
        compiled = self._core.compile_model(model, "CPU", self._config)
        noise = np.random.default_rng(0).integers(0, 256, (size, 3, SIDE, SIDE), dtype=np.uint8)
        found = infer(compiled.create_infer_request(), list(noise), self.outputs)[SCORES]
        apart = float(np.abs(found - self._reference.run(list(noise))[SCORES]).max())
        if not apart <= TOLERANCE:  # nor a number that is none
            reason = f"OpenVINO {openvino.__version__} is {apart:.2f} away from ONNX Runtime"
            raise ModelUnsound(MODEL_ID, reason)
        return compiled


def infer(request: Request, squares: Sequence[Pixels], outputs: Sequence[str]) -> Outputs:
    """At most as many squares as the request takes; what else it holds is computed with them."""
    given = request.get_input_tensor().data
    for at, square in enumerate(squares):
        given[at] = square
    request.infer()
    return {name: request.get_tensor(name).data[: len(squares)].copy() for name in outputs}
