"""The language graph in two, where it computes in bfloat16: its layers, and the product that makes
logits of the last layer's output.

Near 20, where logits lie, numbers of bfloat16 are an eighth apart, and OpenVINO gives the result of
a bfloat16 product in bfloat16. So that product is a graph of its own, in float32. Both go on using
the same weights, mapped from one file.
"""

from __future__ import annotations

from typing import Any

import openvino
from openvino import opset13 as ops

PRODUCT = "MatMul"
HIDDEN, LOGITS = "hidden", "logits"


def without_head(model: openvino.Model) -> tuple[openvino.Model, openvino.Model]:
    """`model`'s layers, to `hidden` and its other outputs, and what makes `logits` of `hidden`.
    `model` is used up."""
    result = model.output(LOGITS).get_node().input_value(0)
    product = _product_before(result.get_node())
    hidden = product.input_value(0)
    given = ops.parameter(hidden.get_partial_shape(), hidden.get_element_type(), name=HIDDEN)
    product.input(0).replace_source_output(given.output(0))
    others = [each for each in model.outputs if LOGITS not in each.get_names()]
    names = [each.get_names() for each in others]
    sources = [each.get_node().input_value(0) for each in others]
    layers = openvino.Model([hidden, *sources], model.get_sinks(), model.get_parameters(), "layers")
    head = openvino.Model([result], [given], "head")
    layers.output(0).get_tensor().set_names({HIDDEN})
    for output, name in zip(layers.outputs[1:], names, strict=True):
        output.get_tensor().set_names(name)
    head.input(0).get_tensor().set_names({HIDDEN})
    head.output(0).get_tensor().set_names({LOGITS})
    return layers, head


def _product_before(node: Any) -> Any:  # noqa: ANN401
    """Between it and the logits, each operation takes one tensor and at most some constants."""
    while node.get_type_name() != PRODUCT:
        node = node.input_value(0).get_node()
    return node
