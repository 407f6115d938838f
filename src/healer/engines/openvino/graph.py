"""The compiled language graph, and its infer requests with what every inference is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import openvino
from numpy.typing import NDArray

from healer.engines.openvino.cache import Floats
from healer.engines.openvino.conversion_record import Attention
from healer.engines.openvino.rotary import Rotary

NO_PLACES = np.empty(0, np.int64)
Part = Literal["step", "chunk"]


class Graph:
    def __init__(self, compiled: openvino.CompiledModel, attention: Attention) -> None:
        self._compiled, self.attention = compiled, attention
        width = compiled.input("features").partial_shape[1].get_length()
        self.no_features: Floats = np.empty((0, width), np.float32)
        self.rotary = Rotary(attention)

    def request(self) -> Request:
        return Request(self, self._compiled.create_infer_request())

    def release_memory(self) -> None:
        """What OpenVINO keeps for the next run of a chunk's size, which may never come."""
        self._compiled.release_memory()


class Request:
    def __init__(self, graph: Graph, request: openvino.InferRequest) -> None:
        self._graph, self._request = graph, request
        self._nothing = empty_past(graph.attention)
        self.give(self._nothing)
        request.set_tensor("beam_idx", openvino.Tensor(np.zeros(1, np.int32)))

    def infer(self, tokens: Sequence[int], features: Floats | None, part: Part, start: int) -> None:
        """`tokens`, the first at the position `start`, are all of one `part`, none of the other.
        What the graph gives is taken from the request when it is wanted: a dictionary of it all
        would take as long as a layer."""
        places = np.arange(len(tokens))
        given: dict[str, NDArray[Any]] = {
            "token_ids": np.array([tokens], np.int64),
            "features": self._graph.no_features if features is None else features,
            "step": places if part == "step" else NO_PLACES,
            "chunk": places if part == "chunk" else NO_PLACES,
        }
        for kind, (cosine, sine) in self._graph.rotary.turns(start, len(tokens)).items():
            given |= {f"cosine.{kind}": cosine[None, None], f"sine.{kind}": sine[None, None]}
        for name, value in given.items():
            self._request.set_tensor(name, openvino.Tensor(value))
        self._request.start_async()
        self._request.wait()

    def logits(self) -> Floats:
        return np.array(self._request.get_tensor("logits").data.reshape(-1))

    def made(self, name: str) -> Floats:
        """The last chunk's own keys or values; lost with the next inference."""
        found: Floats = self._request.get_tensor(f"new.{name}").data
        return found

    def give(self, past: Mapping[str, Floats]) -> None:
        """Not copied: `past` must live until others are given."""
        for name, held in past.items():
            self._request.set_tensor(f"past.{name}", openvino.Tensor(held, shared_memory=True))

    def take_back(self) -> None:
        """Nothing that was given is read any more."""
        self.give(self._nothing)

    def states(self) -> list[Any]:
        """The runtime's own keys and values, of steps."""
        return list(self._request.query_state())

    def reset(self) -> None:
        self._request.reset_state()


def empty_past(attention: Attention) -> dict[str, Floats]:
    nothing = np.empty((1, attention.heads, 0, attention.width), np.float32)
    return dict.fromkeys(attention.names, nothing)
