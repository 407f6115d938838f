"""Attention of the language graph, of some tokens in one way and of the others in another.

A step's few tokens attend over the runtime's own cache: a state in 8 bits, appended to in place,
which the CPU plugin reads one query at a time. That is the quickest for one token, and far too slow
for a thousand. So the tokens of a long prompt's chunk attend, as a matrix product, over keys and
values that the caller gives, and get their own back to give with the next chunk. A run of the graph
does one of the two: the other has no tokens, and its operations are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from healer.conversion.weights import Node
from healer.engines.openvino.conversion_record import FULL, SLIDING, state_name

if TYPE_CHECKING:
    from transformers import Gemma3TextConfig

MASKED = np.float32(-1e9)  # added to a score, leaves nothing of its weight
END = np.iinfo(np.int64).max
POSITIONS = 2  # the axis of queries, keys and values (1, heads, positions, width)


@dataclass(frozen=True, slots=True)
class Part:
    """The tokens at `places` (n,) among the L. `masks` (1, 1, n, past + n), by a layer's kind, are
    added to attention scores."""

    places: Node
    masks: dict[str, Node]

    def of(self, x: Node) -> Node:
        """Its positions of `x` (1, heads, L, width). Gathered, for how many there are is known by
        a shape: a slice's bounds are data, for which the plugin waits in every layer."""
        return ops.gather(x, self.places, np.int64(POSITIONS))


class Attention:
    """Keys and values of every layer, and what its queries see of them."""

    def __init__(self, text: Gemma3TextConfig) -> None:
        self._text: Any = text
        names = [
            state_name(part, layer)
            for layer in range(self._text.num_hidden_layers)
            for part in ("key", "value")
        ]
        heads, width = self._text.num_key_value_heads, self._text.head_dim
        self._states = {name: state(name, heads, width) for name in names}
        self.given = {
            name: ops.parameter([1, heads, -1, width], np.float32, name=f"past.{name}")
            for name in names
        }
        self._beam = ops.parameter([1], np.int32, name="beam_idx")
        self._places = [ops.parameter([-1], np.int64, name=name) for name in ("step", "chunk")]
        self.assigned: list[Node] = []
        self.made: dict[str, Node] = {}
        self._step: Part | None = None
        self._chunk: Part | None = None

    @property
    def _shared(self) -> int:
        """How many query heads have the same keys and values."""
        return int(self._text.num_attention_heads // self._text.num_key_value_heads)

    @property
    def inputs(self) -> list[Node]:
        return [self._beam, *self._places, *self.given.values()]

    def set_tokens(self, is_image: Node) -> None:
        """`is_image` (L,) is 1 at image tokens."""
        block = image_blocks(is_image)
        step, chunk = self._places
        self._step = self._part(step, block, self._states)
        self._chunk = self._part(chunk, block, self.given)

    def _part(self, places: Node, block: Node, past: dict[str, Node]) -> Part:
        """Layers of one kind have as many positions in `past`, those of the other have others."""
        masks, kinds = {}, list(self._text.layer_types)
        own = ops.gather(block, places, np.int64(0))
        for kind, window in ((FULL, None), (SLIDING, self._text.sliding_window)):
            if kind in kinds:
                keys = past[state_name("key", kinds.index(kind))]
                count = ops.gather(ops.shape_of(keys), np.array([POSITIONS]), np.int64(0))
                masks[kind] = attention_mask(count, own, window)
        return Part(places, masks)

    def attended(self, queries: Node, keys: Node, values: Node, layer: int) -> Node:
        """(1, heads, L, width) of a layer; keys and values have fewer heads."""
        assert self._step is not None  # noqa: S101
        assert self._chunk is not None  # noqa: S101
        kind, scale = self._text.layer_types[layer], self._text.query_pre_attn_scalar**-0.5
        new = {state_name("key", layer): keys, state_name("value", layer): values}
        stepped = ops.scaled_dot_product_attention(
            self._step.of(queries),
            *(self._cached(self._step.of(each), name) for name, each in new.items()),
            self._step.masks[kind],
            np.float32(scale),
        )
        own = {name: self._chunk.of(each) for name, each in new.items()}
        self.made |= own
        seen = [ops.concat([self.given[name], each], POSITIONS) for name, each in own.items()]
        read = self._over_given(
            self._chunk.of(queries), seen[0], seen[1], self._chunk.masks[kind], scale
        )
        return ops.concat([stepped, read], POSITIONS)

    def _cached(self, new: Node, name: str) -> Node:
        """All keys (or values) so far, repeated for the query heads that share one."""
        text, held, shared = self._text, self._states[name], self._shared
        whole = ops.concat([ops.gather(held, self._beam, np.int64(0)), new], POSITIONS)
        self.assigned.append(ops.assign(whole, held.get_variable_id()))
        if shared == 1:
            return whole
        spread = ops.broadcast(
            ops.unsqueeze(whole, np.array([2])),
            np.array([1, 1, shared, 1, 1]),
            None,
            "bidirectional",
        )
        flat = np.array([0, text.num_attention_heads, -1, text.head_dim])
        return ops.reshape(spread, flat, special_zero=True)

    def _over_given(
        self, queries: Node, keys: Node, values: Node, mask: Node, scale: float
    ) -> Node:
        """In products of the plugin's own, which an attention operation would become here too. The
        query heads that share a key lie one behind the other, so that no key is copied."""
        groups, shared = self._text.num_key_value_heads, self._shared
        scaled = ops.multiply(queries, np.float32(scale))
        behind = ops.reshape(scaled, np.array([1, groups, -1, self._text.head_dim]), False)
        scores = ops.matmul(behind, keys, False, True)
        apart = ops.reshape(scores, np.array([groups, shared, -1, 0]), special_zero=True)
        weights = ops.softmax(ops.add(apart, mask), 3)
        joined = ops.reshape(weights, np.array([1, groups, -1, 0]), special_zero=True)
        read = ops.matmul(joined, values, False, False)
        return ops.reshape(read, np.array([1, groups * shared, -1, self._text.head_dim]), False)


def state(name: str, heads: int, width: int) -> Node:
    """f32 (1, heads, positions, width), empty at first."""
    empty = ops.constant(np.zeros((1, heads, 0, width), np.float32))
    return ops.read_value(empty, name, ov.Type.f32, ov.PartialShape([1, heads, -1, width]))


def slice_axis(x: Node, start: int, stop: int, axis: int) -> Node:
    return ops.slice(x, np.array([start]), np.array([stop]), np.array([1]), np.array([axis]))


def rotated(x: Node, cosine: Node, sine: Node) -> Node:
    """`x` (1, heads, L, head width) turned by its position."""
    half = x.get_output_partial_shape(0)[3].get_length() // 2
    upper = ops.multiply(slice_axis(x, half, END, 3), np.float32(-1))
    turned = ops.concat([upper, slice_axis(x, 0, half, 3)], -1)
    return ops.add(ops.multiply(x, cosine), ops.multiply(turned, sine))


def image_blocks(is_image: Node) -> Node:
    """The number of its image (L,), from 1, at each image token, where `is_image` is 1; else 0."""
    before = ops.concat([np.zeros(1, np.int32), slice_axis(is_image, 0, -1, 0)], 0)
    begun = ops.multiply(is_image, ops.subtract(ops.constant(np.int32(1)), before))
    return ops.multiply(ops.cum_sum(begun, np.int64(0)), is_image)


def attention_mask(past: Node, block: Node, window: int | None = None) -> Node:
    """(1, 1, L, past + L) for tokens of the image `block` (L,), 0 for text: each sees those before
    it and those of its own image, of both only what lies less than `window` before it.

    An image's tokens are all among the L.
    """
    new = ops.shape_of(block)
    count, end = (ops.squeeze(each, np.array([0])) for each in (past, new))
    zero, one = np.int64(0), np.int64(1)
    rows = ops.range(zero, end, one, "i64")
    row, column = ops.unsqueeze(rows, np.array([1])), ops.unsqueeze(rows, np.array([0]))
    own, theirs = ops.unsqueeze(block, np.array([1])), ops.unsqueeze(block, np.array([0]))
    together = ops.logical_and(ops.equal(own, theirs), ops.greater(own, np.int32(0)))
    seen = ops.logical_or(ops.less_equal(column, row), together)
    earlier = ops.unsqueeze(ops.range(ops.negative(count), zero, one, "i64"), np.array([0]))
    if window is None:
        before = ops.less(earlier, ops.add(row, np.int64(1)))
    else:
        first = ops.subtract(row, np.int64(window))
        before = ops.greater(earlier, first)
        seen = ops.logical_and(seen, ops.greater(column, first))
    whole = ops.concat([before, seen], 1)
    return ops.unsqueeze(ops.select(whole, np.float32(0), MASKED), np.array([0, 1]))
