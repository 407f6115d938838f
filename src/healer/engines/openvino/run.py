"""A text that is written, one token after another: what follows those that were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import openvino

from healer.engines.openvino.cache import Floats, Snapshot
from healer.engines.openvino.conversion_record import SLIDING, Attention
from healer.engines.openvino.graph import Graph

SPARE = 1000  # positions that sliding-window layers hold besides their window before it is cut


class Run(Protocol):
    """`length` tokens so far, in a state that no other run touches."""

    length: int

    def step(self, tokens: Sequence[int]) -> Floats:
        """Float32 logits (vocabulary,) of what follows `tokens`, of which there is at least one."""

    def save(self) -> Snapshot:
        """What another run can go on from."""


class RuntimeRun:
    """By OpenVINO, from its own cache, which reads one token after another."""

    def __init__(self, graph: Graph, at: Snapshot | None = None) -> None:
        self._attention, self._request = graph.attention, graph.request()
        self.length = 0
        self._held = 0  # positions in the states of sliding-window layers
        if at is not None:
            self._set_states(at.states)
            self.length = at.length

    def step(self, tokens: Sequence[int], features: Floats | None = None) -> Floats:
        """As Run.step; `features` are rows for the image tokens among `tokens`."""
        if self._held + len(tokens) > self._attention.sliding_window + SPARE:
            self._shorten()
        self._request.infer(tokens, features, "step", self.length)
        self._held += len(tokens)
        self.length += len(tokens)
        return self._request.logits()

    def save(self) -> Snapshot:
        states = {each.name: each.state.data.copy() for each in self._request.states()}
        return Snapshot(states, self.length)

    def _set_states(self, states: Mapping[str, Floats]) -> None:
        self._held = held_positions(self._attention, states)
        for state in self._request.states():
            state.state = openvino.Tensor(states[state.name], shared_memory=True)

    def _shorten(self) -> None:
        """Sliding-window layers keep what the next token can see."""
        keep = min(self._held, self._attention.sliding_window - 1)
        for state in self._request.states():
            if self._attention.names[state.name] == SLIDING:
                held = state.state.data
                kept = np.ascontiguousarray(held[:, :, held.shape[2] - keep :])
                state.state = openvino.Tensor(kept, shared_memory=True)
        self._held = keep


def held_positions(attention: Attention, states: Mapping[str, Floats]) -> int:
    """Of each sliding-window layer; all hold as many."""
    sliding = (name for name, kind in attention.names.items() if kind == SLIDING)
    return max((states[name].shape[2] for name in sliding), default=0)
