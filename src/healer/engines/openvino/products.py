"""Products with 8-bit weights by code of our own (products.c), on processors with AMX.

Weights stay where they are, mapped from the file that `healer optimize` wrote, in the form it wrote
them in: nothing is packed for the processor, at a start or later. Activations are rounded against
the highest of their token: to 16 bits, which loses next to nothing besides what the weights lost,
or to 8 where `healer optimize` found the margins close enough to float32 with those.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from healer.engines.openvino.conversion_record import Activations
from healer.engines.openvino.kernels import LONG, POINTER, Scratch, address, library
from healer.hardware import has_amx

Floats = NDArray[np.float32]
Node = Any
FLOAT_BYTES = 4
BYTES: dict[Activations, int] = {"int8": 1, "int16": 2}  # of an activation


def available() -> bool:
    """Compiled, of a processor that has it, and allowed by ONEDNN_MAX_CPU_ISA."""
    found = library()
    return found is not None and has_amx() and bool(found.healer_products_run())


class After(IntEnum):
    """What becomes of a product, numbered as in products.h; GATED is GELU times another product."""

    PLAIN = 0
    GELU = 1
    GATED = 2


class _Matrix(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in ("values", "zero", "scale", "bias")),
        ("rows", LONG),
        ("columns", LONG),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """`values` (rows, columns); a weight is (value - zero) · scale. `zero`, `scale` and `bias` are
    (rows,). `owners` keep the memory of all of them."""

    values: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    scale: Floats
    bias: Floats | None = None
    owners: tuple[Any, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.values)

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])

    def of_c(self) -> _Matrix:
        parts = (self.values, self.zero, self.scale, self.bias)
        given = (None if part is None else address(part) for part in parts)
        return _Matrix(*given, *self.values.shape)


class Products:
    """Computes with any Matrix; activations of a single token are always int16. `threads` is how
    many cores to use; no result depends on it."""

    def __init__(self, activations: Activations = "int16", threads: int = 1) -> None:
        """Only where available()."""
        found = library()
        assert found is not None  # noqa: S101
        self.label, self.bytes, self.threads = activations, BYTES[activations], threads
        self._library = found
        self._rounded, self._between = Scratch(), Scratch()

    def can(self, columns: int, after: After = After.PLAIN) -> bool:
        many = 2  # of one token every width can be done
        return bool(self._library.healer_product_scratch(many, columns, after, self.bytes))

    def linear(self, x: Floats, matrices: Sequence[Matrix], outputs: Sequence[Floats]) -> None:
        """x · matrixᵀ + bias for each; `x` (..., columns), each output (..., rows), contiguous."""
        with self._rounded.lock:
            for index, (matrix, out) in enumerate(zip(matrices, outputs, strict=True)):
                self._product(x, matrix, None, address(out), After.PLAIN, rounded=index > 0)

    def feed_forward(
        self, x: Floats, wide: Matrix, up: Matrix | None, narrow: Matrix, out: Floats
    ) -> None:
        """GELU(x · wideᵀ), times x · upᵀ where there is one, · narrowᵀ."""
        tokens = x.size // wide.columns
        after = After.GELU if up is None else After.GATED
        with self._rounded.lock, self._between.lock:
            between = self._between.of(tokens * wide.rows * FLOAT_BYTES)
            self._product(x, wide, up, between, after)
            self._multiply(between, tokens, narrow, None, address(out), After.PLAIN)

    def _product(
        self,
        x: Floats,
        matrix: Matrix,
        up: Matrix | None,
        out: int,
        after: After,
        *,
        rounded: bool = False,
    ) -> None:
        tokens = x.size // matrix.columns
        self._multiply(address(x), tokens, matrix, up, out, after, rounded=rounded)

    def _multiply(
        self,
        x: int,
        tokens: int,
        matrix: Matrix,
        up: Matrix | None,
        out: int,
        after: After,
        *,
        rounded: bool = False,
    ) -> None:
        a, b = matrix.of_c(), up.of_c() if up else None
        size = self._library.healer_product_scratch(tokens, matrix.columns, after, self.bytes)
        self._library.healer_product(
            x,
            tokens,
            ctypes.byref(a),
            ctypes.byref(b) if b else None,
            out,
            self._rounded.of(size),
            after,
            self.bytes,
            rounded,
            self.threads,
        )


class OwnLinear(openvino.Op):  # type: ignore[misc]
    """(..., columns) to as many outputs (..., rows) as matrices."""

    def __init__(self, x: Node, matrices: Sequence[Matrix], products: Products) -> None:
        super().__init__(self)
        self._matrices, self._products = matrices, products
        self.set_arguments([x])
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        shape = self.get_input_partial_shape(0)
        self.set_output_size(len(self._matrices))
        for index, matrix in enumerate(self._matrices):
            self.set_output_type(index, self.get_input_element_type(0), _with_last(shape, matrix))

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> OwnLinear:
        (x,) = new_inputs
        return OwnLinear(x, self._matrices, self._products)

    def has_evaluate(self) -> bool:
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        for out, matrix in zip(outputs, self._matrices, strict=True):
            out.shape = [*inputs[0].shape[:-1], matrix.rows]
        self._products.linear(inputs[0].data, self._matrices, [out.data for out in outputs])
        return True


class OwnFeedForward(openvino.Op):  # type: ignore[misc]
    """As `Products.feed_forward`."""

    def __init__(
        self, x: Node, wide: Matrix, up: Matrix | None, narrow: Matrix, products: Products
    ) -> None:
        super().__init__(self)
        self._parts, self._products = (wide, up, narrow), products
        self.set_arguments([x])
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        shape = _with_last(self.get_input_partial_shape(0), self._parts[2])
        self.set_output_type(0, self.get_input_element_type(0), shape)

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> OwnFeedForward:
        (x,) = new_inputs
        return OwnFeedForward(x, *self._parts, self._products)

    def has_evaluate(self) -> bool:
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        outputs[0].shape = [*inputs[0].shape[:-1], self._parts[2].rows]
        self._products.feed_forward(inputs[0].data, *self._parts, outputs[0].data)
        return True


def _with_last(shape: openvino.PartialShape, matrix: Matrix) -> openvino.PartialShape:
    return openvino.PartialShape([*list(shape)[:-1], matrix.rows])
