"""The network through OpenVINO, read from the same file.

It is compiled for eight squares at once, which takes less than two thirds as long as eight one by
one; once few squares have come several times, for one as well, in the background. Compiling takes a
second or two. What comes of it is checked against ONNX Runtime: OpenVINO 2026.4 misreads one
operation (`ReduceLogSumExp`, so that the tiles of a batch are mixed), and nothing says so.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import openvino

from healer.engines.builtin.onnx_session import OnnxSession
from healer.engines.builtin.session import MODEL_ID, SCORES, SIDE, Outputs, Pixels
from healer.errors.engine import ModelUnsound

MOST_TOGETHER = 8
FEW = 4  # so many take as long one by one as eight at once
OFTEN = 8  # calls with few squares: a folder has one or two, at its beginning and at its end
# Of log-probabilities. On noise, integers of the one and of the other are 0.08 apart.
TOLERANCE = 0.25
Request = Any  # OpenVINO publishes no types


class OpenVinoSession:
    """For `threads` threads: each call is computed by the thread that makes it."""

    together = MOST_TOGETHER

    def __init__(self, network: bytes, quantization: str, threads: int) -> None:
        """Raises ModelUnsound where OpenVINO computes the network wrongly."""
        self._read = network, quantization
        self._config = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Other processes may do the same: none of them shall own a core.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",  # of what is not in integers
        }
        self._core = openvino.Core()
        self._several = self._compile(MOST_TOGETHER)
        self.outputs = self._several.outputs
        self._single: Future[Compiled] | None = None
        self._calls_with_few = 0
        self._background = ThreadPoolExecutor(1, "builtin-compile")
        self._counting = threading.Lock()

    def run(self, squares: Sequence[Pixels]) -> Outputs:
        network = self._several if len(squares) > FEW else self._for_few()
        size = network.squares
        parts = [squares[start : start + size] for start in range(0, len(squares), size)]
        found = [infer(network.request(), part, self.outputs) for part in parts]
        return {name: np.concatenate([each[name] for each in found]) for name in self.outputs}

    def _for_few(self) -> Compiled:
        """Raises ModelUnsound."""
        with self._counting:
            self._calls_with_few += 1
            if self._calls_with_few >= OFTEN and self._single is None:
                self._single = self._background.submit(self._compile, 1)
        return self._single.result() if self._single and self._single.done() else self._several

    def _compile(self, squares: int) -> Compiled:
        network, quantization = self._read
        model = self._core.read_model(network)
        model.reshape([squares, 3, SIDE, SIDE])
        compiled = Compiled(self._core.compile_model(model, "CPU", self._config), squares)
        rng = np.random.default_rng(0)
        noise = list(rng.integers(0, 256, (squares, 3, SIDE, SIDE), dtype=np.uint8))
        found = infer(compiled.request(), noise, [SCORES])[SCORES]
        expected = OnnxSession(network, quantization).run(noise)[SCORES]
        apart = float(np.abs(found - expected).max())
        if not apart <= TOLERANCE:  # nor a number that is none
            reason = f"OpenVINO {openvino.__version__} is {apart:.2f} away from ONNX Runtime"
            raise ModelUnsound(MODEL_ID, reason)
        return compiled


class Compiled(threading.local):
    """The network for so many squares at once; `request` is the calling thread's own."""

    def __init__(self, network: openvino.CompiledModel, squares: int) -> None:
        """Called once more in every thread, for what is that thread's own."""
        self._network, self.squares = network, squares
        self.outputs = [output.get_any_name() for output in network.outputs]
        self._request: Request = None

    def request(self) -> Request:
        if self._request is None:
            self._request = self._network.create_infer_request()
        return self._request


def infer(request: Request, squares: Sequence[Pixels], outputs: Sequence[str]) -> Outputs:
    """At most as many squares as the request takes; what else it holds is computed with them."""
    given = request.get_input_tensor().data
    for at, square in enumerate(squares):
        given[at] = square
    request.infer()
    return {name: request.get_tensor(name).data[: len(squares)].copy() for name in outputs}
