"""Our own attention in a graph of OpenVINO's, in the place of the plugin's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import openvino

from healer.engines.openvino.attention import Attention

STANDARD = "ScaledDotProductAttention"
HEADS_FIRST = [0, 2, 1, 3]  # and back


class IntegerAttention(openvino.Op):  # type: ignore[misc]
    """Of `heads` heads; inputs and output are (batch, tokens, heads * width)."""

    def __init__(self, inputs: Iterable[Any], attention: Attention, heads: int) -> None:
        super().__init__(self, inputs)
        self._attention, self._heads = attention, heads
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        self.set_output_type(0, self.get_input_element_type(0), self.get_input_partial_shape(0))

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> IntegerAttention:
        return IntegerAttention(new_inputs, self._attention, self._heads)

    def has_evaluate(self) -> bool:
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        outputs[0].shape = inputs[0].shape
        q, k, v = (each.data for each in inputs)
        self._attention(q, k, v, self._heads, outputs[0].data)
        return True


@dataclass(frozen=True, slots=True)
class Place:
    """A standard attention that splits its heads and joins them again, as `healer optimize` writes
    it: what goes in before the split, and what comes out after."""

    inputs: list[Any]
    joined: Any
    tokens: int
    heads: int
    width: int


def replace(model: openvino.Model, attention: Attention) -> int:
    """How often ours was put in; a standard attention of any other form is left as it is."""
    found = [
        place for place in places(model) if attention.can(place.tokens, place.heads, place.width)
    ]
    for place in found:
        ours = IntegerAttention(place.inputs, attention, place.heads).output(0)
        for target in place.joined.output(0).get_target_inputs():
            target.replace_source_output(ours)
    return len(found)


def places(model: openvino.Model) -> Iterator[Place]:
    for node in model.get_ordered_ops():
        if node.get_type_name() == STANDARD and (place := _place(node)):
            yield place


def _place(node: Any) -> Place | None:  # noqa: ANN401
    plain = node.get_input_size() == 3 and not node.get_attributes()["causal"]
    shape = node.get_output_partial_shape(0)
    users = [target.get_node() for target in node.output(0).get_target_inputs()]
    splits = [node.input_value(index).get_node() for index in range(3)]
    turns = [*splits, *users]
    if not plain or len(users) != 1 or not all(map(_turns_heads, turns)):
        return None
    (joined,) = (target.get_node() for target in users[0].output(0).get_target_inputs())
    inputs = [split.input_value(0).get_node().input_value(0) for split in splits]
    tokens, heads, width = (shape[axis].get_length() for axis in (2, 1, 3))
    return Place(inputs, joined, tokens, heads, width)


def _turns_heads(node: Any) -> bool:  # noqa: ANN401
    """Next to a reshape that splits or joins heads."""
    if node.get_type_name() != "Transpose":
        return False
    return list(node.input_value(1).get_node().get_data()) == HEADS_FIRST
