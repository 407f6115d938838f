"""Our own products against float64, where the machine can run them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("openvino")

from healer.engines.openvino import products
from healer.engines.openvino.products import After, Floats, Matrix, Products, Several, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healer.engines.openvino.conversion_record import Activations

pytestmark = pytest.mark.skipif(not products.available(), reason="no AVX-512 VNNI, or not compiled")
# What rounding takes, in lengths of the result: with 16 bits next to nothing.
LOSS: dict[Activations, float] = {"int16": 2e-4, "int8-parts": 0.013, "int8": 0.02}
SHAPES = [(1, 1, 1), (1, 64, 64), (1, 70, 130), (5, 70, 100), (37, 130, 2700), (33, 16, 5200)]


WAYS = [
    (label, unit)
    for label in LOSS
    for unit in products.units()
    if Products(label, unit=unit).label == label
]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{way[1].name}")
def ours(request: pytest.FixtureRequest) -> Products:
    label, unit = request.param
    return Products(label, threads=2, unit=unit)


def matrix(rows: int, columns: int, *, bias: bool = False, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return Matrix(
        rng.integers(0, 256, (rows, columns), dtype=np.uint8),
        rng.integers(100, 150, rows, dtype=np.uint8),
        (rng.random(rows, np.float32) + np.float32(0.1)) / np.float32(75 * columns**0.5),
        rng.standard_normal(rows, np.float32) if bias else None,
    )


def tokens(count: int, columns: int) -> Floats:
    return np.random.default_rng(9).standard_normal((count, columns), np.float32)


def exact(x: Floats, given: Matrix) -> NDArray[np.float64]:
    weights = (given.values - given.zero[:, None].astype(np.float64)) * given.scale[:, None]
    bias = 0 if given.bias is None else given.bias.astype(np.float64)
    return np.asarray(x.astype(np.float64) @ weights.T + bias)


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


def linear(ours: Products, x: Floats, *matrices: Matrix) -> list[Floats]:
    found = [np.full((*x.shape[:-1], each.rows), 7, np.float32) for each in matrices]
    ours.linear(x, Several(*matrices), found)
    return found


def check(found: Floats, expected: NDArray[np.float64], loss: float) -> None:
    assert np.linalg.norm(found - expected) <= loss * np.linalg.norm(expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_a_product_is_as_exact_as_its_activations(
    ours: Products, shape: tuple[int, int, int], bias: bool
) -> None:
    count, rows, columns = shape
    given, x = matrix(rows, columns, bias=bias), tokens(count, columns)
    (found,) = linear(ours, x, given)
    check(found, exact(x, given), LOSS["int16" if count == 1 else ours.label])


def test_several_matrices_share_activations(ours: Products) -> None:
    x, matrices = tokens(40, 192), [matrix(rows, 192, seed=rows) for rows in (64, 17, 48)]
    for found, given in zip(linear(ours, x, *matrices), matrices, strict=True):
        np.testing.assert_array_equal(found, linear(ours, x, given)[0])


@pytest.mark.parametrize("count", [1, 21, 200])
@pytest.mark.parametrize("gated", [False, True])
def test_a_feed_forward_layer(ours: Products, count: int, gated: bool) -> None:
    wide, up = matrix(150, 96, bias=not gated), matrix(150, 96, seed=1) if gated else None
    narrow, x = matrix(96, 150, bias=True, seed=2), tokens(count, 96)
    found = np.empty_like(x)
    ours.feed_forward(x, Several(wide, up) if up else Several(wide), Several(narrow), found)
    between = gelu(exact(x, wide)) * (exact(x, up) if up else 1)
    expected = exact(np.asarray(between, np.float32), narrow)
    check(found, expected, 2 * LOSS["int16" if count == 1 else ours.label])


@pytest.mark.parametrize("count", [1, 50])
def test_threads_change_no_bit(ours: Products, count: int) -> None:
    x, given = tokens(count, 640), matrix(333, 640)
    alone, together = (linear(Products(ours.label, threads), x, given)[0] for threads in (1, 3))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 20])
def test_what_is_not_finite_stays_so_in_its_token_alone(
    ours: Products, bad: float, count: int
) -> None:
    x, given = tokens(count, 128), matrix(32, 128)
    clean = linear(ours, x, given)[0]
    x[count // 2, 5] = bad
    (found,) = linear(ours, x, given)
    assert np.isnan(found[count // 2]).all()
    others = np.arange(count) != count // 2
    np.testing.assert_array_equal(found[others], clean[others])


def test_nothing_but_zeros_gives_the_bias(ours: Products) -> None:
    given = matrix(20, 70, bias=True)
    assert given.bias is not None
    (found,) = linear(ours, np.zeros((18, 70), np.float32), given)
    np.testing.assert_array_equal(found, np.broadcast_to(given.bias, found.shape))


def test_an_output_too_large_for_a_cache_is_written_past_it(ours: Products) -> None:
    """Aligned, and of so many rows that none is written twice."""
    count, given = 1100, matrix(1024, 64)
    room = np.empty(count * given.rows + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    found = room[start : start + count * given.rows].reshape(count, given.rows)
    x = tokens(count, 64)
    ours.linear(x, Several(given), [found])
    np.testing.assert_array_equal(found, linear(ours, x, given)[0])


def test_wide_layers_that_are_not_one_sum_are_refused(ours: Products) -> None:
    """GELU of a part of a sum is none of the sum."""
    assert ours.can(10240)
    assert ours.can(2560, After.GATED)
    assert not ours.can(2624, After.GATED)
    assert not ours.can(2624, After.GELU)


def test_a_forked_process_has_threads_of_its_own(ours: Products) -> None:
    x, given = tokens(64, 640), matrix(512, 640)
    before = linear(ours, x, given)[0]
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(linear(ours, x, given)[0], before) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("label", ["int8", "int16"])
@pytest.mark.parametrize("gated", [False, True])
def test_units_give_the_same_bits(label: Activations, gated: bool) -> None:
    """So what `healer optimize` verifies on one processor holds on others."""
    wide, narrow, x = matrix(150, 96), matrix(96, 150, seed=2), tokens(77, 96)
    several = Several(wide, matrix(150, 96, seed=1)) if gated else Several(wide)
    found = []
    for unit in products.units():
        out = np.empty_like(x)
        Products(label, 2, unit).feed_forward(x, several, Several(narrow), out)
        found.append(out)
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


def test_an_outlying_activation_costs_its_own_part_alone() -> None:
    """Such as trained models have: a few columns a hundred times the others."""
    x, given = tokens(40, 640), matrix(200, 640)
    given.values[:, 300] = given.zero  # it adds nothing, and takes others' steps
    x[:, 300] *= 1000
    losses = []
    for label in ("int8", "int8-parts"):
        (found,) = linear(Products(label, unit=Unit.VNNI), x, given)
        expected = exact(x, given)
        losses.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    whole, parts = losses
    assert parts < whole / 1.5


def test_what_is_slow_with_amx_is_16_bits_there() -> None:
    for unit in products.units():
        label = Products("int8-parts", unit=unit).label
        assert label == ("int8-parts" if unit == Unit.VNNI else "int16")


def test_a_cap_on_the_processor_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    assert products.units() == [Unit.VNNI]
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert not products.available()
