"""The seam between the engine and the library that runs its network.

Each library has a module of its own, imported when a network is opened with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from healer.engines.builtin.runtime import Runtime

MODEL_ID = "healer/builtin-crc"
SIDE = 160  # of a square, in pixels
SCORES = "scores"  # the network's outputs: log-probabilities, and
FEATURES = "features"  # (tiles, members, dimensions)
NONE = "none"  # of quantisations
Pixels = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]  # by name
OPENERS = {
    Runtime.ONNX: "healer.engines.builtin.onnx_session:OnnxSession",
    Runtime.OPENVINO: "healer.engines.builtin.openvino_session:OpenVinoSession",
}


class Session(Protocol):
    """A network that is ready to run, on as many threads at once as it was opened for."""

    @property
    def outputs(self) -> Sequence[str]: ...

    @property
    def together(self) -> int:
        """How many squares a thread should give at once, where there are so many."""
        ...

    def run(self, squares: Sequence[Pixels]) -> Outputs:
        """Each output, its first axis that of `squares`, which are (3, SIDE, SIDE) each.

        What a square gives depends on no other. Raises ModelUnsound where the library is found to
        compute the network wrongly.
        """
        ...


def open_session(network: bytes, quantization: str, threads: int, runtime: Runtime) -> Session:
    """`quantization` is the network's own. Raises what the library does."""
    opened: Session = resolve_name(OPENERS[runtime])(network, quantization, threads)
    return opened
