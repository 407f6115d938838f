"""The language graph: Gemma 3's text model over a KV cache of its own, to the next token's logits.

    token_ids  i64 (1, L)           the next tokens; their positions follow those in the cache
    features   f32 (k, width)       rows for the image tokens among them, in order
    beam_idx   i32 (1,)             zero
    logits     f32 (1, vocabulary)  raw, of the last position

The cache is one key and one value a layer, f32 (1, heads, positions, head width) as a state. Up to
`sliding_window` positions fit, so that a sliding-window layer sees as much as a full one and the
two differ only in their rotary base.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from healer.conversion.checkpoint import Checkpoint, Floats
from healer.conversion.vision import name_tensors
from healer.conversion.weights import Embedding, Node, Nodes, heads_first, heads_joined
from healer.engines.openvino.conversion_record import Weights

if TYPE_CHECKING:
    from transformers import Gemma3Config

MODEL = "language_model"
MASKED = np.float32(-1e9)  # added to a score, leaves nothing of its weight
END = np.iinfo(np.int64).max
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What layers share. `rotary` is cosine and sine (1, 1, L, head width) by a layer's type;
    `mask` (1, 1, L, past + L) is added to attention scores."""

    beam: Node
    mask: Node
    rotary: dict[str, tuple[Node, Node]]


def build_language(
    checkpoint: Checkpoint, config: Gemma3Config, kind: Weights, step: Step
) -> ov.Model:
    """`step` is called after each layer, and once for the embedding."""
    return Builder(checkpoint, config, kind).build(step)


class Builder:
    def __init__(self, checkpoint: Checkpoint, config: Gemma3Config, kind: Weights) -> None:
        text: Any = config.text_config
        self._nodes, self._text = Nodes(checkpoint, kind), text
        self._image_token: int = config.image_token_id
        self._caches: list[Node] = [
            cache(f"{part}.{layer}", text.num_key_value_heads, text.head_dim)
            for layer in range(text.num_hidden_layers)
            for part in ("key", "value")
        ]
        self._assigned: list[Node] = []

    def build(self, step: Step) -> ov.Model:
        text = self._text
        tokens = ops.parameter([1, -1], np.int64, name="token_ids")
        features = ops.parameter([-1, text.hidden_size], np.float32, name="features")
        beam = ops.parameter([1], np.int32, name="beam_idx")
        embedding = Embedding(self._nodes.checkpoint)
        step()
        is_image = ops.convert(ops.equal(tokens, ops.constant(np.int64(self._image_token))), "i32")
        x = place_features(embedding.of(tokens), features, is_image)
        context = self._context(beam, ops.squeeze(is_image, np.array([0])))
        for layer in range(text.num_hidden_layers):
            x = self._layer(x, layer, context)
            step()
        logits = self._capped(embedding.logits(self._norm(x, f"{MODEL}.norm")))
        logits = ops.squeeze(logits, np.array([1]))
        inputs = [tokens, features, beam]
        model = ov.Model([logits.output(0)], self._assigned, inputs, "language")
        return name_tensors(model, ["logits"])

    def _context(self, beam: Node, is_image: Node) -> Context:
        """`is_image` (L,) is 1 at image tokens."""
        text = self._text
        # All caches hold the same number of positions.
        past = ops.gather(ops.shape_of(self._caches[0]), np.array([2]), np.int64(0))
        new = ops.shape_of(is_image)
        start, stop = (ops.squeeze(each, np.array([0])) for each in (past, ops.add(past, new)))
        positions = ops.range(start, stop, np.int64(1), "i64")
        rotary = {kind: rotations(positions, *tables(text, kind)) for kind in set(text.layer_types)}
        return Context(beam, attention_mask(past, new, image_blocks(is_image)), rotary)

    def _layer(self, x: Node, layer: int, context: Context) -> Node:
        """In the last layer only the last position goes on: no other's output is used."""
        name = f"{MODEL}.layers.{layer}"
        seen = self._attention(self._norm(x, f"{name}.input_layernorm"), layer, context)
        if layer == self._text.num_hidden_layers - 1:
            x, seen = last(x), last(seen)
        attended = self._nodes.linear(seen, f"{name}.self_attn.o_proj")
        x = ops.add(x, self._norm(attended, f"{name}.post_attention_layernorm"))
        normed = self._norm(x, f"{name}.pre_feedforward_layernorm")
        narrow = self._feedforward(normed, f"{name}.mlp")
        return ops.add(x, self._norm(narrow, f"{name}.post_feedforward_layernorm"))

    def _feedforward(self, x: Node, name: str) -> Node:
        linear = self._nodes.linear
        gate = ops.gelu(linear(x, f"{name}.gate_proj"), "tanh")
        wide = ops.multiply(gate, linear(x, f"{name}.up_proj"))
        return linear(wide, f"{name}.down_proj")

    def _attention(self, x: Node, layer: int, context: Context) -> Node:
        """Attention output of the positions `x`, the heads joined."""
        text, name = self._text, f"{MODEL}.layers.{layer}.self_attn"
        kind = text.layer_types[layer]
        queries = self._heads(x, f"{name}.q_proj", text.num_attention_heads)
        keys = self._heads(x, f"{name}.k_proj", text.num_key_value_heads)
        values = self._heads(x, f"{name}.v_proj", text.num_key_value_heads)
        queries = rotated(self._norm(queries, f"{name}.q_norm"), *context.rotary[kind])
        keys = rotated(self._norm(keys, f"{name}.k_norm"), *context.rotary[kind])
        attended = ops.scaled_dot_product_attention(
            queries,
            self._cached(keys, 2 * layer, context.beam),
            self._cached(values, 2 * layer + 1, context.beam),
            context.mask,
            np.float32(text.query_pre_attn_scalar**-0.5),
        )
        return heads_joined(attended, text.num_attention_heads * text.head_dim)

    def _heads(self, x: Node, name: str, heads: int) -> Node:
        return heads_first(self._nodes.linear(x, name), heads, self._text.head_dim)

    def _cached(self, new: Node, index: int, beam: Node) -> Node:
        """All keys (or values) so far, repeated for the query heads that share one."""
        text, state = self._text, self._caches[index]
        whole = ops.concat([ops.gather(state, beam, np.int64(0)), new], 2)
        self._assigned.append(ops.assign(whole, state.get_variable_id()))
        shared = text.num_attention_heads // text.num_key_value_heads
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

    def _norm(self, x: Node, name: str) -> Node:
        return self._nodes.rms_norm(x, name, self._text.rms_norm_eps)

    def _capped(self, logits: Node) -> Node:
        cap = self._text.final_logit_softcapping
        if cap is None:
            return logits
        return ops.multiply(ops.tanh(ops.divide(logits, np.float32(cap))), np.float32(cap))


def cache(name: str, heads: int, width: int) -> Node:
    """A state of f32 (1, heads, positions, width), empty at first."""
    empty = ops.constant(np.zeros((1, heads, 0, width), np.float32))
    return ops.read_value(empty, name, ov.Type.f32, ov.PartialShape([1, heads, -1, width]))


def place_features(embedded: Node, features: Node, is_image: Node) -> Node:
    """`embedded` (1, L, width), with the rows of `features` where `is_image` (1, L) is 1."""
    width = features.get_output_partial_shape(0)[1].get_length()
    nothing = ops.constant(np.zeros((1, width), np.float32))  # so that there may be no features
    rows = ops.multiply(ops.cum_sum(is_image, np.int64(1)), is_image)
    chosen = ops.gather(ops.concat([nothing, features], 0), rows, np.int64(0))
    mask = ops.unsqueeze(ops.convert(is_image, "boolean"), np.array([2]))
    return ops.select(mask, chosen, embedded)


def last(x: Node) -> Node:
    """(1, 1, width) of `x` (1, L, width)."""
    return slice_axis(x, -1, END, 1)


def slice_axis(x: Node, start: int, stop: int, axis: int) -> Node:
    return ops.slice(x, np.array([start]), np.array([stop]), np.array([1]), np.array([axis]))


def tables(text: Any, kind: str) -> tuple[Floats, Floats]:  # noqa: ANN401
    """Cosine and sine (window, head width) of a layer type's angles.

    Tables rather than arithmetic in the graph, which a runtime would do in bfloat16.
    """
    parameters = text.rope_parameters[kind]
    exponents = np.arange(0, text.head_dim, 2, dtype=np.float32) / np.float32(text.head_dim)
    frequencies = 1 / np.float32(parameters["rope_theta"]) ** exponents
    frequencies /= np.float32(parameters.get("factor", 1))
    positions = np.arange(text.sliding_window, dtype=np.float32)
    angles = np.tile(positions[:, None] * frequencies, 2)
    return np.cos(angles), np.sin(angles)


def rotations(positions: Node, cosine: Floats, sine: Floats) -> tuple[Node, Node]:
    """Rows of the tables, (1, 1, L, head width)."""
    cosines, sines = (
        ops.unsqueeze(ops.gather(ops.constant(table), positions, np.int64(0)), np.array([0, 1]))
        for table in (cosine, sine)
    )
    return cosines, sines


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


def attention_mask(past: Node, new: Node, block: Node) -> Node:
    """(1, 1, L, past + L): every token sees those before it, and those of its own image.

    `past` and `new` (1,) are counts; an image's tokens are all among the new ones.
    """
    total = ops.squeeze(ops.add(past, new), np.array([0]))
    columns = ops.range(np.int64(0), total, np.int64(1), "i64")
    rows = ops.add(
        ops.range(np.int64(0), ops.squeeze(new, np.array([0])), np.int64(1), "i64"), past
    )
    row, column = ops.unsqueeze(rows, np.array([1])), ops.unsqueeze(columns, np.array([0]))
    theirs = ops.concat([ops.broadcast(np.int32(0), past), block], 0)
    own, theirs = ops.unsqueeze(block, np.array([1])), ops.unsqueeze(theirs, np.array([0]))
    together = ops.logical_and(ops.equal(own, theirs), ops.greater(own, np.int32(0)))
    seen = ops.logical_or(ops.less_equal(column, row), together)
    return ops.unsqueeze(ops.select(seen, np.float32(0), MASKED), np.array([0, 1]))
