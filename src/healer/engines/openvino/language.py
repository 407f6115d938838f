"""The language model: texts are read here, in chunks, and written by runs (run.py, decoder.py).

A chunk is given the keys and values of those before it, and what the last leaves is what a run goes
on from. Layers that see a sliding window leave no more than it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import openvino

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.openvino.cache import Floats, Snapshot
from healer.engines.openvino.conversion_record import SLIDING, Attention
from healer.engines.openvino.decoder import Decoder, OwnRun
from healer.engines.openvino.graph import Graph, Request, empty_past
from healer.engines.openvino.run import Run, RuntimeRun

CHUNK_TOKENS = 1100  # four pictures of MedGemma, about as many as a sliding window holds
# Of a chunk's tokens and those they see, for which the scores of all heads are there at once.
CHUNK_PAIRS = 20_000_000
# Bytes for each number of keys and values: given as float32, in the graph once more, and in the
# runtime's cache, which reserves twice what it holds in 8 bits; and for each of those pairs. With
# 4B's shape 8, 32 and 125 pictures took 2.0, 4.0 and 8.0 GB: by these 1.6, 3.7 and 9.1.
HELD_BYTES, PAIR_BYTES = 14, 180
Chunk = tuple[Sequence[int], Floats | None]


class Language:
    """Computes in float32; `products` names the numbers of the products where they are others.
    With a `decoder` texts are written by that, else by OpenVINO."""

    def __init__(
        self,
        compiled: openvino.CompiledModel,
        attention: Attention,
        products: str | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.graph, self.attention = Graph(compiled, attention), attention
        self.products, self.decoder = products, decoder

    def run(self, at: Snapshot | None = None) -> Run:
        """A text of its own, begun afresh or taken up where `at` was saved."""
        return OwnRun(self.decoder, at) if self.decoder else RuntimeRun(self.graph, at)

    def read(
        self, chunks: Iterable[Chunk], end_stage: OnStageEnd = ignore_stage
    ) -> tuple[Floats, Snapshot]:
        """As `read_on` of nothing, a prompt that is read chunk by chunk. An image's tokens are all
        in one chunk, its features beside them."""
        request, past = self.graph.request(), Snapshot(empty_past(self.attention), 0)
        for tokens, features in chunks:
            past = self._read_chunk(request, past, tokens, features)
            end_stage("prefill")
        logits = request.logits()
        request.take_back()
        self.graph.release_memory()
        return logits, past

    def read_on(
        self, past: Snapshot | None, tokens: Sequence[int], features: Floats | None = None
    ) -> tuple[Floats, Snapshot]:
        """Float32 logits (vocabulary,) of what follows `tokens`, all read at once, and the state
        after them; `features` are rows for the image tokens among them."""
        request = self.graph.request()
        before = past or Snapshot(empty_past(self.attention), 0)
        after = self._read_chunk(request, before, tokens, features)
        return request.logits(), after

    def _read_chunk(
        self, request: Request, past: Snapshot, tokens: Sequence[int], features: Floats | None
    ) -> Snapshot:
        """The state that the next token can see."""
        request.reset()
        request.give(past.states)
        request.infer(tokens, features, "chunk", past.length)
        return Snapshot(self._joined(past.states, request), past.length + len(tokens))

    def _joined(self, past: Mapping[str, Floats], request: Request) -> dict[str, Floats]:
        """`past` and what the last chunk made, of sliding-window layers what the next token can
        see."""
        whole = {}
        for name, kind in self.attention.names.items():
            before, new = past[name], request.made(name)
            if kind == SLIDING:
                keep = self.attention.sliding_window - 1
                before = before[:, :, max(0, before.shape[2] + new.shape[2] - keep) :]
                new = new[:, :, max(0, new.shape[2] - keep) :]
            whole[name] = np.concatenate([before, new], axis=2)
        return whole


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
