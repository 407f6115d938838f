"""The language graph: Gemma 3's text model, from the next tokens to the logits after them.

    token_ids  i64 (1, L)           the next tokens
    features   f32 (k, width)       rows for the image tokens among them, in order
    cosine.K   f32 (1, 1, L, head width)  of the tokens' angles in layers of the kind K; and sine.K
    step       i64 (n,)             0 … L-1 in a step, else empty (attention.py)
    chunk      i64 (m,)             0 … L-1 for a chunk of a long prompt, else empty
    beam_idx   i32 (1,)             zero
    past.N     f32 (1, heads, positions, head width)  of a chunk: what those before it gave as new.N
    logits     f32 (1, vocabulary)  raw, of the last position
    new.N      f32 (1, heads, L, head width)  a chunk's keys and values, empty in a step

N names a layer's keys or values, as its state does: `key.0`, `value.0` and so on. The states, f32
(1, heads, positions, head width), are the caches of steps. Sliding-window layers see their window
alone, whatever else is there, so that the caller may shorten what they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from healer.conversion.attention import END, Attention, rotated, slice_axis
from healer.conversion.checkpoint import Checkpoint
from healer.conversion.vision import name_tensors
from healer.conversion.weights import Embedding, Node, Nodes, heads_first, heads_joined
from healer.engines.openvino.conversion_record import Weights

if TYPE_CHECKING:
    from transformers import Gemma3Config

MODEL = "language_model"
Step = Callable[[], None]


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
        self._attention = Attention(text)
        # Angles are computed outside of the graph, where a runtime would do that in bfloat16.
        self._rotary = {
            kind: tuple(
                ops.parameter([1, 1, -1, text.head_dim], np.float32, name=f"{part}.{kind}")
                for part in ("cosine", "sine")
            )
            for kind in dict.fromkeys(text.layer_types)
        }

    def build(self, step: Step) -> ov.Model:
        text = self._text
        tokens = ops.parameter([1, -1], np.int64, name="token_ids")
        features = ops.parameter([-1, text.hidden_size], np.float32, name="features")
        embedding = Embedding(self._nodes.checkpoint)
        step()
        is_image = ops.convert(ops.equal(tokens, ops.constant(np.int64(self._image_token))), "i32")
        x = place_features(embedding.of(tokens), features, is_image)
        self._attention.set_tokens(ops.squeeze(is_image, np.array([0])))
        for layer in range(text.num_hidden_layers):
            x = self._layer(x, layer)
            step()
        logits = self._capped(embedding.logits(self._norm(x, f"{MODEL}.norm")))
        logits = ops.squeeze(logits, np.array([1]))
        made = self._attention.made
        rotary = [each for pair in self._rotary.values() for each in pair]
        inputs = [tokens, features, *rotary, *self._attention.inputs]
        outputs = [each.output(0) for each in (logits, *made.values())]
        model = ov.Model(outputs, self._attention.assigned, inputs, "language")
        return name_tensors(model, ["logits", *(f"new.{name}" for name in made)])

    def _layer(self, x: Node, layer: int) -> Node:
        """In the last layer only the last position goes on: no other's output is used."""
        name = f"{MODEL}.layers.{layer}"
        seen = self._seen(self._norm(x, f"{name}.input_layernorm"), layer)
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

    def _seen(self, x: Node, layer: int) -> Node:
        """Attention output of the positions `x`, the heads joined."""
        text, name = self._text, f"{MODEL}.layers.{layer}.self_attn"
        turn = self._rotary[text.layer_types[layer]]
        queries = self._heads(x, f"{name}.q_proj", text.num_attention_heads)
        keys = self._heads(x, f"{name}.k_proj", text.num_key_value_heads)
        values = self._heads(x, f"{name}.v_proj", text.num_key_value_heads)
        queries = rotated(self._norm(queries, f"{name}.q_norm"), *turn)
        keys = rotated(self._norm(keys, f"{name}.k_norm"), *turn)
        attended = self._attention.attended(queries, keys, values, layer)
        return heads_joined(attended, text.num_attention_heads * text.head_dim)

    def _heads(self, x: Node, name: str, heads: int) -> Node:
        return heads_first(self._nodes.linear(x, name), heads, self._text.head_dim)

    def _norm(self, x: Node, name: str) -> Node:
        return self._nodes.rms_norm(x, name, self._text.rms_norm_eps)

    def _capped(self, logits: Node) -> Node:
        cap = self._text.final_logit_softcapping
        if cap is None:
            return logits
        return ops.multiply(ops.tanh(ops.divide(logits, np.float32(cap))), np.float32(cap))


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
