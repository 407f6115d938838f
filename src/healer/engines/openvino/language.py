"""The language graph at work: the steps of one text, and the chunks of a long prompt before them.

A step goes on from the runtime's own cache, which reads one token after another: it is for writing.
A prompt is read in chunks, which are given the keys and values of those before them; what the last
leaves becomes the runtime's cache. Layers that see a sliding window hold little more than it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import openvino
from numpy.typing import NDArray

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.openvino.cache import Floats, Snapshot
from healer.engines.openvino.conversion_record import SLIDING, Attention, Kind

CHUNK_TOKENS = 1100  # four pictures of MedGemma, about as many as a sliding window holds
# Of a chunk's tokens and those they see, for which the scores of all heads are there at once.
CHUNK_PAIRS = 20_000_000
# Bytes for each number of keys and values: given as float32, in the graph once more, and in the
# runtime's cache, which reserves twice what it holds in 8 bits; and for each of those pairs. With
# 4B's shape 8, 32 and 125 pictures took 2.0, 4.0 and 8.0 GB: by these 1.6, 3.7 and 9.1.
HELD_BYTES, PAIR_BYTES = 14, 180
NO_PLACES = np.empty(0, np.int64)
Part = Literal["step", "chunk"]
Chunk = tuple[Sequence[int], Floats | None]


class Language:
    """Computes in float32; `products` names the numbers of the products where they are others.
    `single` is the same graph for steps of one token alone, which takes less time between them."""

    def __init__(
        self,
        compiled: openvino.CompiledModel,
        attention: Attention,
        products: str | None = None,
        single: openvino.CompiledModel | None = None,
    ) -> None:
        self._compiled, self.attention, self.products = compiled, attention, products
        self._single = single or compiled
        width = compiled.input("features").partial_shape[1].get_length()
        self.no_features: Floats = np.empty((0, width), np.float32)
        self._frequencies = frequencies(attention)

    def run(self, at: Snapshot | None = None) -> Run:
        """A text of its own, begun afresh or taken up where `at` was saved."""
        return Run(self, self._single.create_infer_request(), at)

    def read_on(
        self, past: Snapshot | None, tokens: Sequence[int], features: Floats | None = None
    ) -> tuple[Floats, Snapshot]:
        """Float32 logits (vocabulary,) of what follows `tokens`, all read at once, and the state
        after them; `features` are rows for the image tokens among them."""
        return Run(self, self.reader(), None).read_on(past, tokens, features)

    @property
    def steps_singly(self) -> bool:
        return self._single is not self._compiled

    def reader(self, request: Any = None) -> Any:  # noqa: ANN401
        """An infer request that reads chunks: `request` of a run, where that can."""
        if request is not None and not self.steps_singly:
            return request
        return self._compiled.create_infer_request()

    def release_memory(self) -> None:
        """What OpenVINO keeps for the next run of a chunk's size, which may never come."""
        self._compiled.release_memory()

    def rotations(self, start: int, count: int) -> dict[str, Floats]:
        """Cosines and sines (1, 1, count, width) of the positions from `start`, by input."""
        positions = np.arange(start, start + count, dtype=np.float32)
        found: dict[str, Floats] = {}
        for kind, each in self._frequencies.items():
            angles = np.tile(positions[:, None] * each, 2)[None, None]
            found |= {f"cosine.{kind}": np.cos(angles), f"sine.{kind}": np.sin(angles)}
        return found


def frequencies(attention: Attention) -> dict[Kind, Floats]:
    """(width / 2,) of each kind of layer that there is, in float32 as in transformers."""
    exponents = np.arange(0, attention.width, 2, dtype=np.float32) / np.float32(attention.width)
    found: dict[Kind, Floats] = {}
    for kind, rotary in attention.rotary.items():
        if kind in attention.kinds:
            base, factor = np.float32(rotary.base), np.float32(rotary.factor)
            found[kind] = np.asarray(1 / base**exponents / factor, np.float32)
    return found


def chunk_tokens(tokens: int) -> int:
    """The most tokens of a chunk of a prompt of so many."""
    return min(CHUNK_TOKENS, max(1, CHUNK_PAIRS // tokens))


def memory_needed(attention: Attention, tokens: int) -> int:
    """About the most bytes that reading and continuing a prompt of so many tokens takes."""
    pairs = min(tokens * CHUNK_TOKENS, CHUNK_PAIRS)
    return HELD_BYTES * attention.numbers(tokens) + PAIR_BYTES * pairs


def longest_prompt(attention: Attention, window: int, free: int) -> int:
    """The most tokens, up to `window`, that `free` bytes of memory are enough for."""
    return bisect_right(range(window + 1), free, key=partial(memory_needed, attention)) - 1


class Run:
    """One text: `length` tokens so far, in a state that no other run touches."""

    def __init__(
        self,
        language: Language,
        request: Any,  # noqa: ANN401 - an infer request, or one that a test counts
        at: Snapshot | None,
    ) -> None:
        self._language, self._request = language, request
        self.length = 0
        self._held = 0  # positions in the states of sliding-window layers
        self._nothing = empty_past(language.attention)
        self._give(self._nothing)
        request.set_tensor("beam_idx", openvino.Tensor(np.zeros(1, np.int32)))
        if at is not None:
            self._set_states(dict(at.states))
            self.length = at.length

    def step(self, tokens: Sequence[int], features: Floats | None = None) -> Floats:
        """Float32 logits (vocabulary,) of what follows `tokens`, read as by `read`."""
        self.read(tokens, features)
        return self._logits()

    def read(self, tokens: Sequence[int], features: Floats | None = None) -> None:
        """`features` are rows for the image tokens among `tokens`, if these are read at once: where
        steps have a graph of their own, it reads them one by one."""
        parts = [[token] for token in tokens] if self._language.steps_singly else [tokens]
        for part in parts:
            window = self._language.attention.sliding_window
            if self._held + len(part) > window + CHUNK_TOKENS:
                self._shorten()
            self._infer(part, features, "step")
            self._held += len(part)

    def read_chunks(self, chunks: Iterable[Chunk], end_stage: OnStageEnd = ignore_stage) -> Floats:
        """Float32 logits (vocabulary,) of what follows a prompt that is read chunk by chunk, at the
        beginning of a text. An image's tokens are all in one chunk, its features beside them."""
        past = self._nothing
        steps, self._request = self._request, self._language.reader(self._request)
        for tokens, features in chunks:
            past = self._read_chunk(past, tokens, features)
            end_stage("prefill")
        logits = self._logits()
        self._request = steps
        self._give(self._nothing)
        self._language.release_memory()
        self._set_states(past)
        return logits

    def read_on(
        self, past: Snapshot | None, tokens: Sequence[int], features: Floats | None
    ) -> tuple[Floats, Snapshot]:
        """As Language.read_on, once."""
        self.length = past.length if past else 0
        states = self._read_chunk(past.states if past else self._nothing, tokens, features)
        return self._logits(), Snapshot(states, self.length)

    def _read_chunk(
        self, past: Mapping[str, Floats], tokens: Sequence[int], features: Floats | None
    ) -> dict[str, Floats]:
        """Keys and values that the next token can see."""
        self._request.reset_state()
        self._give(past)
        self._infer(tokens, features, "chunk")
        return self._joined(past)

    def save(self) -> Snapshot:
        states = {each.name: each.state.data.copy() for each in self._request.query_state()}
        return Snapshot(states, self.length)

    def _infer(self, tokens: Sequence[int], features: Floats | None, part: Part) -> None:
        """`tokens` are all of one `part`, none of the other. What the graph gives is taken from the
        request when it is wanted: a dictionary of it all would take as long as a layer."""
        places = np.arange(len(tokens))
        given: dict[str, NDArray[Any]] = {
            "token_ids": np.array([tokens], np.int64),
            "features": self._language.no_features if features is None else features,
            "step": places if part == "step" else NO_PLACES,
            "chunk": places if part == "chunk" else NO_PLACES,
            **self._language.rotations(self.length, len(tokens)),
        }
        for name, value in given.items():
            self._request.set_tensor(name, openvino.Tensor(value))
        self._request.start_async()
        self._request.wait()
        self.length += len(tokens)

    def _logits(self) -> Floats:
        return np.array(self._request.get_tensor("logits").data.reshape(-1))

    def _joined(self, past: Mapping[str, Floats]) -> dict[str, Floats]:
        """`past` and what the last chunk made, of sliding-window layers what the next token can
        see."""
        whole, attention = {}, self._language.attention
        for name, kind in attention.names.items():
            before, new = past[name], self._request.get_tensor(f"new.{name}").data
            if kind == SLIDING:
                keep = attention.sliding_window - 1
                before = before[:, :, max(0, before.shape[2] + new.shape[2] - keep) :]
                new = new[:, :, max(0, new.shape[2] - keep) :]
            whole[name] = np.concatenate([before, new], axis=2)
        return whole

    def _give(self, past: Mapping[str, Floats]) -> None:
        """Not copied: `past` must live until others are given."""
        for name, held in past.items():
            self._request.set_tensor(f"past.{name}", openvino.Tensor(held, shared_memory=True))

    def _set_states(self, states: dict[str, Floats]) -> None:
        """Takes them out of `states` one by one, so that none is there twice for long."""
        self._held = held_positions(self._language.attention, states)
        for state in self._request.query_state():
            state.state = openvino.Tensor(states.pop(state.name), shared_memory=True)

    def _shorten(self) -> None:
        """Sliding-window layers keep what the next token can see."""
        attention = self._language.attention
        keep = min(self._held, attention.sliding_window - 1)
        for state in self._request.query_state():
            if attention.names[state.name] == SLIDING:
                held = state.state.data
                kept = np.ascontiguousarray(held[:, :, held.shape[2] - keep :])
                state.state = openvino.Tensor(kept, shared_memory=True)
        self._held = keep


def empty_past(attention: Attention) -> dict[str, Floats]:
    nothing = np.empty((1, attention.heads, 0, attention.width), np.float32)
    return dict.fromkeys(attention.names, nothing)


def held_positions(attention: Attention, states: Mapping[str, Floats]) -> int:
    """Of each sliding-window layer; all hold as many."""
    sliding = (name for name, kind in attention.names.items() if kind == SLIDING)
    return max((states[name].shape[2] for name in sliding), default=0)
