"""Attention by code of our own (attention.c), where it is faster: in bfloat16 on processors with
AMX, in 16-bit integers on others with AVX-512 VNNI.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from numpy.typing import NDArray

from healer.engines.openvino import kernels as compiled
from healer.engines.openvino import products
from healer.engines.openvino.kernels import Scratch, address
from healer.hardware import instruction_sets

if TYPE_CHECKING:
    from healer.settings.loading import Settings

Floats = NDArray[np.float32]


class Kernel(IntEnum):
    """Named after its numbers, and numbered as in attention.c."""

    INT16 = 0
    BFLOAT16 = 1

    @property
    def label(self) -> str:
        return self.name.lower()


NEEDED = {Kernel.INT16: "avx512_vnni", Kernel.BFLOAT16: "amx_bf16"}
WORDS = {Kernel.INT16: "16-bit integers", Kernel.BFLOAT16: "bfloat16 (AMX)"}


def kernels() -> list[Kernel]:
    """Those that were compiled, that this machine runs, and that ONEDNN_MAX_CPU_ISA allows."""
    library, there = compiled.library(), instruction_sets()
    if library is None:
        return []
    can = library.healer_attention_runs
    return [kernel for kernel, needed in NEEDED.items() if needed in there and can(kernel)]


def fastest() -> Kernel | None:
    """What the vision tower's attention is computed with; None where OpenVINO's own is faster."""
    wanted = Kernel.BFLOAT16 if NEEDED[Kernel.BFLOAT16] in instruction_sets() else Kernel.INT16
    return wanted if wanted in kernels() else None


def why_not() -> str | None:
    """Why OpenVINO's own attention is used on this machine; None where ours is."""
    if fastest() is not None:
        return None
    if not compiled.LIBRARY.exists():
        return "it was not compiled when Healer was installed (that takes Linux, x86-64 and gcc)"
    if compiled.library() is None:
        return "what was compiled cannot be loaded here: install Healer again on this machine"
    if NEEDED[Kernel.BFLOAT16] in instruction_sets():
        return "the system or the compiler knows no AMX, and 16-bit integers are slower than it"
    return "this processor has no AVX-512 VNNI"


def check_attention(settings: Settings) -> tuple[bool, str]:
    """Whether ours is used in the vision tower, or why not; and whether products are ours."""
    kernel = fastest()
    if kernel is None or settings.dtype == "float32":
        why = "HEALER_DTYPE=float32" if settings.dtype == "float32" else why_not()
        return False, f"OpenVINO's own in the vision tower: {why}"
    multiplied = "; products with 8-bit weights too" if products.available() else ""
    return True, f"our own in the vision tower, in {WORDS[kernel]}{multiplied}"


class Attention:
    """softmax(q kᵀ / √width) v for each head, without a mask, as rounded as the kernel's numbers.

    `threads` is how many cores to use. The result does not depend on it.
    """

    def __init__(self, kernel: Kernel, threads: int = 1) -> None:
        """Only one of kernels()."""
        library = compiled.library()
        assert library is not None  # noqa: S101
        self.kernel, self.threads = kernel, threads
        self._library = library
        self._scratch = Scratch()

    def can(self, tokens: int, heads: int, width: int) -> bool:
        return bool(self._library.healer_attention_scratch(self.kernel, tokens, heads, width))

    def __call__(self, q: Floats, k: Floats, v: Floats, heads: int, out: Floats) -> None:
        """All (batch, tokens, heads * width), contiguous; of a shape that it can do."""
        batch, tokens, channels = q.shape
        shape = (tokens, heads, channels // heads)
        with self._scratch.lock:
            size = self._library.healer_attention_scratch(self.kernel, *shape)
            for index in range(batch):
                rows = [address(x[index]) for x in (q, k, v, out)]
                room = self._scratch.of(size)
                self._library.healer_attention(self.kernel, *rows, room, *shape, self.threads)


STANDARD = "ScaledDotProductAttention"
HEADS_FIRST = [0, 2, 1, 3]  # and back


class OwnAttention(openvino.Op):  # type: ignore[misc]
    """Of `heads` heads; inputs and output are (batch, tokens, heads * width)."""

    def __init__(self, inputs: Iterable[Any], attention: Attention, heads: int) -> None:
        super().__init__(self, inputs)
        self._attention, self._heads = attention, heads
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        self.set_output_type(0, self.get_input_element_type(0), self.get_input_partial_shape(0))

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> OwnAttention:
        return OwnAttention(new_inputs, self._attention, self._heads)

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
        ours = OwnAttention(place.inputs, attention, place.heads).output(0)
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
