"""Finds the products with 8-bit weights in a graph of `healer optimize`, and puts in our own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import openvino

from healer.engines.openvino.products import (
    After,
    Matrix,
    OwnFeedForward,
    OwnLinear,
    Products,
    Several,
)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`x` · `matrix`ᵀ, with the bias where one is added, is `result`: both outputs of nodes."""

    x: Any
    matrix: Matrix
    result: Any


@dataclass(frozen=True, slots=True, eq=False)
class FeedForward:
    """`narrow` of GELU of `wide`, times `up` where there is one."""

    wide: Linear
    up: Linear | None
    narrow: Linear


def put_in(model: openvino.Model, products: Products) -> int:
    """How many products of the graph are ours now; those of any other form stay as they are."""
    found = {key(each.result): each for each in linears(model) if products.can(each.matrix.columns)}
    blocks = [block for each in found.values() if (block := _feed_forward(each, found, products))]
    for block in blocks:
        for part in (block.wide, block.up, block.narrow):
            if part is not None:
                del found[key(part.result)]
        wide = Several(*(part.matrix for part in (block.wide, block.up) if part is not None))
        ours = OwnFeedForward(block.wide.x, wide, Several(block.narrow.matrix), products)
        redirect(block.narrow.result, ours.output(0))
    by_input: dict[tuple[str, int], list[Linear]] = defaultdict(list)
    for each in found.values():
        by_input[key(each.x)].append(each)
    for group in by_input.values():
        op = OwnLinear(group[0].x, Several(*(each.matrix for each in group)), products)
        for index, each in enumerate(group):
            redirect(each.result, op.output(index))
    return len(found) + sum(3 if block.up else 2 for block in blocks)


def key(output: Any) -> tuple[str, int]:  # noqa: ANN401
    return output.get_node().get_friendly_name(), output.get_index()


def redirect(before: Any, after: Any) -> None:  # noqa: ANN401
    for target in before.get_target_inputs():
        target.replace_source_output(after)


def linears(model: openvino.Model) -> Iterator[Linear]:
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul" and (found := _linear(node)):
            yield found


def _linear(node: Any) -> Linear | None:  # noqa: ANN401
    turns = node.get_attributes()
    matrix = _matrix(node.input_value(1).get_node())
    if matrix is None or turns["transpose_a"] or not turns["transpose_b"]:
        return None
    plain = Linear(node.input_value(0), matrix, node.output(0))
    return _with_bias(plain) or plain


def _with_bias(plain: Linear) -> Linear | None:
    users = _users(plain.result)
    if len(users) != 1 or users[0].get_type_name() != "Add":
        return None
    values = [users[0].input_value(index).get_node() for index in range(2)]
    constants = [node for node in values if node.get_type_name() == "Constant"]
    if len(constants) != 1 or constants[0].data.size != plain.matrix.rows:
        return None
    bias = np.ascontiguousarray(constants[0].data.reshape(-1), np.float32)
    return Linear(plain.x, replace(plain.matrix, bias=bias), users[0].output(0))


def _matrix(node: Any) -> Matrix | None:  # noqa: ANN401
    """Of a weight as `conversion.weights` stores it, with one scale a row."""
    levels, scale = _inputs(node, "Multiply")
    values, zero = (_bytes(each) for each in _inputs(levels, "Subtract"))
    if values is None or zero is None or _type(scale) != "f32":
        return None
    rows = values.data.shape[0]
    if zero.data.size != rows or scale.data.size != rows:
        return None
    row = (
        zero.data.reshape(-1),
        np.array(scale.data.reshape(-1)),
    )  # aligned, as mapped ones are not
    return Matrix(values.data, *row, owners=(values, zero))


def _inputs(node: Any, kind: str) -> tuple[Any, Any]:  # noqa: ANN401
    """The two nodes that make it, if it is of that kind; else None and None."""
    if node is None or node.get_type_name() != kind:
        return None, None
    return node.input_value(0).get_node(), node.input_value(1).get_node()


def _bytes(node: Any) -> Any:  # noqa: ANN401
    """The (rows, columns) constant of bytes that `node` makes float32, if it does."""
    if node is None or node.get_type_name() != "Convert":
        return None
    constant = node.input_value(0).get_node()
    return constant if _type(constant) == "u8" and len(constant.data.shape) == 2 else None


def _type(node: Any) -> str | None:  # noqa: ANN401
    """Of a constant's values."""
    if node is None or node.get_type_name() != "Constant":
        return None
    return str(node.get_element_type().get_type_name())


def _users(output: Any) -> list[Any]:  # noqa: ANN401
    return [target.get_node() for target in output.get_target_inputs()]


def _feed_forward(
    narrow: Linear, found: dict[tuple[str, int], Linear], products: Products
) -> FeedForward | None:
    """What `narrow` is the end of, where nothing within is used elsewhere."""
    inner = narrow.x.get_node()
    parts = [inner]
    if inner.get_type_name() == "Multiply":
        parts = [inner.input_value(index).get_node() for index in range(2)]
    gates = [part for part in parts if _is_gelu(part)]
    if len(gates) != 1 or len(_users(narrow.x)) != 1:
        return None
    (gate,) = gates
    wide = found.get(key(gate.input_value(0)))
    others = [inner.input_value(i) for i in range(2)] if len(parts) > 1 else []
    ups = [found.get(key(each)) for each in others if not _is_gelu(each.get_node())]
    up = ups[0] if ups else None
    if wide is None or (others and up is None):
        return None
    after = After.GELU if up is None else After.GATED
    own = [wide.result, gate.output(0), *([up.result] if up else [])]
    alone = all(len(_users(each)) == 1 for each in own)
    same = up is None or (key(up.x) == key(wide.x) and up.matrix.rows == wide.matrix.rows)
    fits = products.can(wide.matrix.columns, after)
    return FeedForward(wide, up, narrow) if alone and same and fits else None


def _is_gelu(node: Any) -> bool:  # noqa: ANN401
    if node.get_type_name() != "Gelu":
        return False
    return str(node.get_attributes()["approximation_mode"]).lower() == "tanh"
