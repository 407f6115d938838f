"""The vision graph: Gemma 3's image encoder and projector, from pixels to rows of text width."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from healer.conversion.checkpoint import Checkpoint
from healer.conversion.weights import Node, Nodes, Stored, heads_first, heads_joined, quantize
from healer.engines.openvino.conversion_record import Image, Weights

if TYPE_CHECKING:
    from transformers import Gemma3Config

TOWER, PROJECTOR = "vision_tower", "multi_modal_projector"
Step = Callable[[], None]


def build_vision(
    checkpoint: Checkpoint, config: Gemma3Config, image: Image, kind: Weights, step: Step
) -> ov.Model:
    """`pixels` u8 (n, size, size, 3) to `features` f32 (n, tokens, text width). `step` is called
    after each layer."""
    vision: Any = config.vision_config
    nodes = Nodes(checkpoint, kind)
    pixels = ops.parameter([-1, image.size, image.size, 3], np.uint8, name="pixels")
    x = _patches(nodes, pixels, image, vision)
    for index in range(vision.num_hidden_layers):
        x = _layer(nodes, x, f"{TOWER}.encoder.layers.{index}", vision)
        step()
    x = nodes.layer_norm(x, f"{TOWER}.post_layernorm", vision.layer_norm_eps)
    features = _projected(nodes, x, image, vision)
    return name_tensors(ov.Model([features], [pixels], "vision"), ["features"])


def name_tensors(model: ov.Model, outputs: list[str]) -> ov.Model:
    """The model with names for its inputs and outputs."""
    for node in model.inputs:
        node.get_tensor().set_names({node.get_node().get_friendly_name()})
    for node, name in zip(model.outputs, outputs, strict=True):
        node.get_tensor().set_names({name})
    return model


def _patches(nodes: Nodes, pixels: Node, image: Image, vision: Any) -> Node:  # noqa: ANN401
    """A convolution whose windows do not overlap, as one product a patch."""
    side, patch, name = image.size // vision.patch_size, vision.patch_size, f"{TOWER}.embeddings"
    cut = ops.reshape(pixels, np.array([0, side, patch, side, patch, 3]), special_zero=True)
    rows = ops.transpose(cut, np.array([0, 1, 3, 2, 4, 5]))
    rows = ops.convert(
        ops.reshape(rows, np.array([-1, side * side, patch * patch, 3]), False), "f32"
    )
    scaled = ops.multiply(rows, np.float32(image.rescale))
    centred = ops.subtract(scaled, np.array(image.mean, np.float32))
    flat = np.array([0, 0, patch * patch * 3])
    x = ops.reshape(ops.divide(centred, np.array(image.std, np.float32)), flat, special_zero=True)
    kernel = nodes.checkpoint.read(f"{name}.patch_embedding.weight").transpose(0, 2, 3, 1)
    weight = ops.constant(np.ascontiguousarray(kernel.reshape(len(kernel), -1)))
    x = ops.add(ops.matmul(x, weight, False, True), nodes.vector(f"{name}.patch_embedding.bias"))
    return ops.add(x, nodes.vector(f"{name}.position_embedding.weight"))


def _layer(nodes: Nodes, x: Node, name: str, vision: Any) -> Node:  # noqa: ANN401
    heads = vision.num_attention_heads
    width = vision.hidden_size // heads
    normed = nodes.layer_norm(x, f"{name}.layer_norm1", vision.layer_norm_eps)
    query, key, value = (
        heads_first(nodes.linear(normed, f"{name}.self_attn.{part}_proj"), heads, width)
        for part in "qkv"
    )
    attended = ops.scaled_dot_product_attention(query, key, value)
    joined = heads_joined(attended, vision.hidden_size)
    x = ops.add(x, nodes.linear(joined, f"{name}.self_attn.out_proj"))
    normed = nodes.layer_norm(x, f"{name}.layer_norm2", vision.layer_norm_eps)
    wide = ops.gelu(nodes.linear(normed, f"{name}.mlp.fc1"), "tanh")
    return ops.add(x, nodes.linear(wide, f"{name}.mlp.fc2"))


def _projected(nodes: Nodes, x: Node, image: Image, vision: Any) -> Node:  # noqa: ANN401
    """Averages square windows of patches, so that `image.tokens` are left."""
    side, left = image.size // vision.patch_size, round(image.tokens**0.5)
    window, width = side // left, vision.hidden_size
    cut = ops.reshape(x, np.array([0, left, window, left, window, width]), special_zero=True)
    pooled = ops.reduce_mean(cut, np.array([2, 4]), False)
    tokens = ops.reshape(pooled, np.array([0, image.tokens, width]), special_zero=True)
    normed = nodes.rms_norm(tokens, f"{PROJECTOR}.mm_soft_emb_norm", vision.layer_norm_eps)
    weight = nodes.checkpoint.read(f"{PROJECTOR}.mm_input_projection_weight").T
    rows = quantize(lambda part: np.ascontiguousarray(weight[part]), weight.shape, nodes.kind)
    return ops.matmul(normed, Stored(rows, f"{PROJECTOR}.weight").matrix(), False, True)
