"""Products with 8-bit weights by code of our own (products.c), on processors with AVX-512 VNNI, and
with AMX where they have that too.

Weights stay where they are, mapped from the file that `healer optimize` wrote, in the form it wrote
them in: nothing is packed for the processor, at a start or later. Activations are rounded against
the highest of their token: to 16 bits, which loses next to nothing besides what the weights lost,
or to 8 where `healer optimize` found the margins close enough to float32 with those. Between the
two are 8 bits against the highest of 128 columns at a time, so that an outlying one takes no steps
from the others; AMX would have to stop for that too often, and takes 16 bits instead.
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
from healer.hardware import instruction_sets

Floats = NDArray[np.float32]
Node = Any
FLOAT_BYTES = 4
NUMBERS: dict[Activations, int] = {"int8": 1, "int16": 2, "int8-parts": 3}  # as products.c has them


class Unit(IntEnum):
    """Of the processor, numbered as in products.c."""

    VNNI = 0
    AMX = 1


NEEDED = {Unit.AMX: "amx_int8", Unit.VNNI: "avx512_vnni"}  # the faster first


def units() -> list[Unit]:
    """Those that were compiled for, that this machine has, and that ONEDNN_MAX_CPU_ISA allows."""
    found, there = library(), instruction_sets()
    if found is None:
        return []
    has = found.healer_products_run
    return [unit for unit, needed in NEEDED.items() if needed in there and has(unit)]


def available() -> bool:
    return bool(units())


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


class Several:
    """Matrices that are multiplied with the same activations, as C reads them."""

    def __init__(self, *matrices: Matrix) -> None:
        self.matrices = matrices
        self.columns = matrices[0].columns
        self._structures = [structure(each) for each in matrices]
        self.pointers = _pointers(map(ctypes.addressof, self._structures))


def structure(matrix: Matrix) -> ctypes.Structure:
    """As C reads it; `matrix` must live as long."""
    parts = (matrix.values, matrix.zero, matrix.scale, matrix.bias)
    given = (None if part is None else address(part) for part in parts)
    return _Matrix(*given, *matrix.values.shape)


def _pointers(addresses: Iterable[int]) -> Any:  # noqa: ANN401
    found = tuple(addresses)
    return (POINTER * len(found))(*found)


class Products:
    """Computes with any matrices; activations of a single token are always int16. `threads` is how
    many cores to use; no result depends on it, nor on the `unit`, the fastest if none is given."""

    def __init__(
        self, activations: Activations = "int16", threads: int = 1, unit: Unit | None = None
    ) -> None:
        """Only where available()."""
        found = library()
        assert found is not None  # noqa: S101
        self.unit, self.threads = units()[0] if unit is None else unit, threads
        coarse = activations == "int8-parts" and self.unit != Unit.VNNI
        self.label: Activations = "int16" if coarse else activations
        self._numbers = NUMBERS[self.label]
        self._library = found
        self._rounded, self._between = Scratch(), Scratch()

    def can(self, columns: int, after: After = After.PLAIN) -> bool:
        many = 2  # of one token every width can be done
        return bool(self._library.healer_products_scratch(many, columns, after, self._numbers))

    def linear(self, x: Floats, several: Several, outputs: Sequence[Floats]) -> None:
        """x · matrixᵀ + bias for each; `x` (..., columns), each output (..., rows), contiguous."""
        tokens = x.size // several.columns
        with self._rounded.lock:
            self._multiply(address(x), tokens, several, map(address, outputs), After.PLAIN)

    def feed_forward(self, x: Floats, wide: Several, narrow: Several, out: Floats) -> None:
        """GELU(x · wideᵀ) · narrowᵀ, the GELU times x · upᵀ where `wide` holds both."""
        tokens = x.size // wide.columns
        gated = len(wide.matrices) > 1
        with self._rounded.lock, self._between.lock:
            between = self._between.of(tokens * narrow.columns * FLOAT_BYTES)
            after = After.GATED if gated else After.GELU
            self._multiply(address(x), tokens, wide, [between], after)
            self._multiply(between, tokens, narrow, [address(out)], After.PLAIN)

    def _multiply(
        self, x: int, tokens: int, several: Several, outs: Iterable[int], after: After
    ) -> None:
        given = _pointers(outs)
        room = self._library.healer_products_scratch(tokens, several.columns, after, self._numbers)
        scratch = self._rounded.of(room)
        options = (after, self._numbers, self.unit, self.threads)
        self._library.healer_products(
            x, tokens, several.pointers, given, len(given), scratch, *options
        )


class OwnLinear(openvino.Op):  # type: ignore[misc]
    """(..., columns) to as many outputs (..., rows) as matrices."""

    def __init__(self, x: Node, several: Several, products: Products) -> None:
        super().__init__(self)
        self._several, self._products = several, products
        self.set_arguments([x])
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        shape, kind = self.get_input_partial_shape(0), self.get_input_element_type(0)
        self.set_output_size(len(self._several.matrices))
        for index, matrix in enumerate(self._several.matrices):
            self.set_output_type(index, kind, _with_last(shape, matrix))

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> OwnLinear:
        (x,) = new_inputs
        return OwnLinear(x, self._several, self._products)

    def has_evaluate(self) -> bool:
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        for out, matrix in zip(outputs, self._several.matrices, strict=True):
            _set_last(out, inputs[0].shape, matrix)
        self._products.linear(inputs[0].data, self._several, [out.data for out in outputs])
        return True


class OwnFeedForward(openvino.Op):  # type: ignore[misc]
    """As `Products.feed_forward`."""

    def __init__(self, x: Node, wide: Several, narrow: Several, products: Products) -> None:
        super().__init__(self)
        self._wide, self._narrow, self._products = wide, narrow, products
        self.set_arguments([x])
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        shape = _with_last(self.get_input_partial_shape(0), self._narrow.matrices[0])
        self.set_output_type(0, self.get_input_element_type(0), shape)

    def clone_with_new_inputs(self, new_inputs: Iterable[Any]) -> OwnFeedForward:
        (x,) = new_inputs
        return OwnFeedForward(x, self._wide, self._narrow, self._products)

    def has_evaluate(self) -> bool:
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        _set_last(outputs[0], inputs[0].shape, self._narrow.matrices[0])
        self._products.feed_forward(inputs[0].data, self._wide, self._narrow, outputs[0].data)
        return True


def _set_last(tensor: Any, shape: Sequence[int], matrix: Matrix) -> None:  # noqa: ANN401
    """Where it has that shape already it is left alone: it would be given other memory."""
    wanted = [*shape[:-1], matrix.rows]
    if list(tensor.shape) != wanted:
        tensor.shape = wanted


def _with_last(shape: openvino.PartialShape, matrix: Matrix) -> openvino.PartialShape:
    return openvino.PartialShape([*list(shape)[:-1], matrix.rows])
