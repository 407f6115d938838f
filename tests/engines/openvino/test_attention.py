"""Our own attention against float64, where the machine can run it."""

from __future__ import annotations

import _ctypes
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from healer.engines.openvino import attention
from healer.engines.openvino import kernels as compiled
from healer.engines.openvino.attention import Attention, Floats, Kernel, kernels, why_not

if TYPE_CHECKING:
    from numpy.random import Generator

Inputs = tuple[Floats, Floats, Floats]
TOKENS, HEADS, WIDTH = 700, 2, 72
BFLOAT16_LOSS = 0.004  # of weights: half a step of 8 bits


@pytest.fixture(params=Kernel, ids=lambda kernel: kernel.label)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    if request.param not in kernels():
        pytest.skip("this machine or its compiler does not know it")
    return Kernel(request.param)


def normal(rng: Generator, tokens: int = TOKENS, channels: int = HEADS * WIDTH) -> Inputs:
    q, k, v = rng.standard_normal((3, 1, tokens, channels), dtype=np.float32)
    return q, k, v


def as_given(kernel: Kernel, inputs: Inputs) -> Inputs:
    """As a graph in the kernel's numbers gives them: it has rounded them to bfloat16 already."""
    if kernel is Kernel.INT16:
        return inputs
    q, k, v = (((x.view(np.uint32) + 0x8000) & 0xFFFF0000).view(np.float32) for x in inputs)
    return q, k, v


def attend(kernel: Kernel, inputs: Inputs, heads: int = HEADS, threads: int = 2) -> Floats:
    out = np.full_like(inputs[0], 7)
    Attention(kernel, threads)(*inputs, heads, out)
    return out


def exact(inputs: Inputs, heads: int = HEADS) -> Floats:
    """In float64."""
    batch, tokens, channels = inputs[0].shape
    split = (batch, tokens, heads, channels // heads)
    q, k, v = (x.astype(np.float64).reshape(split).transpose(0, 2, 1, 3) for x in inputs)
    scores = q @ k.swapaxes(2, 3) / np.sqrt(split[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Floats = weights / weights.sum(axis=-1, keepdims=True) @ v
    return found.transpose(0, 2, 1, 3).reshape(inputs[0].shape)


def error(found: Floats, expected: Floats) -> float:
    """The length of the difference in lengths of what was expected."""
    assert np.isfinite(found).all()
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("tokens", [1, 2, 11, 31, 33, 96, 97, 129, 193, 500])
@pytest.mark.parametrize(("heads", "width"), [(4, 1), (3, 5), (2, 16), (1, 72), (2, 79), (2, 96)])
def test_every_size_is_what_float64_finds(
    kernel: Kernel, tokens: int, heads: int, width: int
) -> None:
    if not Attention(kernel).can(tokens, heads, width):
        assert (kernel, width) == (Kernel.BFLOAT16, 96)  # it has room for 79 channels
        return
    inputs = as_given(kernel, normal(np.random.default_rng(tokens), tokens, heads * width))
    allowed = 1e-3 if kernel is Kernel.INT16 else BFLOAT16_LOSS
    assert error(attend(kernel, inputs, heads), exact(inputs, heads)) < allowed


def scaled(inputs: Inputs, query: float = 1, key: float = 1, value: float = 1) -> Inputs:
    q, k, v = inputs
    return q * np.float32(query), k * np.float32(key), v * np.float32(value)


def flat(inputs: Inputs) -> Inputs:
    return scaled(inputs, 0.01, 0.01)


def peaked(inputs: Inputs) -> Inputs:
    """Scores of deviation 16: one key in 700 takes nearly all."""
    return scaled(inputs, 4, 4)


def channel_50_times(inputs: Inputs) -> Inputs:
    """Of q, k and v, each another."""
    for index, x in enumerate(inputs):
        x[..., 5 + index] *= 50
    return inputs


def same_channel_50_times(inputs: Inputs) -> Inputs:
    for x in inputs[:2]:
        x[..., 5] *= 50
    return inputs


def offset(inputs: Inputs) -> Inputs:
    """Means far from zero, which rounding must not see."""
    for x in inputs:
        x[..., 3:20] += 50
    return inputs


def one_token_50_times(inputs: Inputs) -> Inputs:
    for x in inputs:
        x[:, 77] *= 50
    return inputs


def sink(inputs: Inputs) -> Inputs:
    """One key that every query attends to, with a small value."""
    q, k, v = inputs
    q += 1
    k[:, 0] = 1
    v[:, 0] *= 0.05
    return inputs


def many_sinks(inputs: Inputs) -> Inputs:
    """In every block of keys some whose weights are a thousand times those of the others."""
    q, k, v = inputs
    q += 0.9
    k[:, ::16] += 0.9
    v[:, ::16] *= 0.05
    return inputs


def huge(inputs: Inputs) -> Inputs:
    return scaled(inputs, 1e9, 1e-9, 1e9)


def tiny(inputs: Inputs) -> Inputs:
    return scaled(inputs, 1e-9, 1e-9, 1e-9)


@pytest.mark.parametrize(
    ("case", "allowed"),
    [
        (flat, 0.001),
        (peaked, 0.003),
        (channel_50_times, 0.003),
        (same_channel_50_times, 0.01),
        (offset, 0.001),
        (one_token_50_times, 0.01),
        (sink, 0.01),
        (many_sinks, 0.02),
        (huge, 0.001),
        (tiny, 0.001),
    ],
)
def test_hard_cases_lose_little(kernel: Kernel, case: object, allowed: float) -> None:
    assert callable(case)
    inputs = as_given(kernel, case(normal(np.random.default_rng(1))))
    allowed = allowed if kernel is Kernel.INT16 else BFLOAT16_LOSS
    assert error(attend(kernel, inputs), exact(inputs)) < allowed


def test_numbers_that_are_not_bfloat16_lose_what_rounding_loses() -> None:
    if Kernel.BFLOAT16 not in kernels():
        pytest.skip("no AMX")
    inputs = normal(np.random.default_rng(1))
    assert error(attend(Kernel.BFLOAT16, inputs), exact(inputs)) < 2 * BFLOAT16_LOSS


def test_a_score_that_dwarfs_all_others_gives_its_value(kernel: Kernel) -> None:
    q, k, v = normal(np.random.default_rng(2))
    k[:, 123] = q.mean() + 1e4
    q, k, v = as_given(kernel, (np.abs(q), k, v))
    np.testing.assert_allclose(
        attend(kernel, (q, k, v))[0], np.tile(v[0, 123], (TOKENS, 1)), atol=2e-3
    )


def test_zeros_are_an_average(kernel: Kernel) -> None:
    q, k, v = as_given(kernel, normal(np.random.default_rng(3)))
    found = attend(kernel, (q * 0, k * 0, v))
    np.testing.assert_allclose(found, np.broadcast_to(v.mean(axis=1), v.shape), atol=1e-4)
    assert not attend(kernel, (q, k, v * 0)).any()


def test_the_same_bits_on_any_number_of_threads(kernel: Kernel) -> None:
    inputs = normal(np.random.default_rng(4))
    expected = attend(kernel, inputs, threads=1)
    for threads in (2, 3, 7, 1000):
        np.testing.assert_array_equal(attend(kernel, inputs, threads=threads), expected)


def test_tiles_of_one_batch_do_not_mix(kernel: Kernel) -> None:
    rng = np.random.default_rng(5)
    one, other = normal(rng), normal(rng)
    q, k, v = (np.concatenate(both) for both in zip(one, other, strict=True))
    both = attend(kernel, (q, k, v))
    np.testing.assert_array_equal(both[:1], attend(kernel, one))
    np.testing.assert_array_equal(both[1:], attend(kernel, other))


def test_memory_is_taken_up_again_for_another_size(kernel: Kernel) -> None:
    rng, ours = np.random.default_rng(6), Attention(kernel)
    for tokens in (50, 400, 50):
        inputs = normal(rng, tokens)
        out = np.empty_like(inputs[0])
        ours(*inputs, HEADS, out)
        np.testing.assert_array_equal(out, attend(kernel, inputs))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("where", range(3))
def test_what_is_no_number_is_not_hidden(kernel: Kernel, bad: float, where: int) -> None:
    """Integers: in its own head, for every query. bfloat16: as in float64, or where a sum is past
    float32. Other heads are as they were."""
    clean = as_given(kernel, normal(np.random.default_rng(7), 40))
    inputs = as_given(kernel, normal(np.random.default_rng(7), 40))
    inputs[where][0, 9, WIDTH + 3] = bad
    if bad == 1e38:
        inputs[where][0, :, WIDTH + 3] = bad  # the sum of all tokens is past float32
    found = attend(kernel, inputs)
    np.testing.assert_array_equal(found[..., :WIDTH], attend(kernel, clean)[..., :WIDTH])
    if kernel is Kernel.INT16:
        assert np.isnan(found[..., WIDTH:]).all()
        return
    with np.errstate(invalid="ignore", over="ignore"):
        expected = exact(inputs)
    finite = np.isfinite(found)
    np.testing.assert_allclose(found[finite], expected[finite], atol=0.01)


def test_unsupported_shapes_are_reported(kernel: Kernel) -> None:
    ours = Attention(kernel)
    assert ours.can(4096, 16, 72)
    assert not any(ours.can(*shape) for shape in ((10, 1, 97), (0, 1, 8), (10, 0, 8), (10, 1, 0)))


def test_a_machine_without_it_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "LIBRARY", tmp_path / "libkernels.so")
    assert "was not compiled" in (why_not() or "")
    (tmp_path / "libkernels.so").write_bytes(b"for another machine")
    assert "cannot be loaded" in (why_not() or "")


def test_a_library_of_an_earlier_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LIBRARY", Path(_ctypes.__file__))  # any that can be loaded
    assert kernels() == []
    assert "install Healer again" in (why_not() or "")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.skipif(Kernel.INT16 not in kernels(), reason="no AVX-512 VNNI")
def test_a_compiler_that_knows_no_amx_leaves_the_other_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, made = compiled.LIBRARY.parent, tmp_path / "libkernels.so"
    command = ["cc", "-shared", "-fPIC", "-pthread", "-DHEALER_WITHOUT_AMX"]
    subprocess.run([*command, *map(str, folder.glob("*.c")), "-o", str(made), "-lm"], check=True)
    monkeypatch.setattr(compiled, "LIBRARY", made)
    assert attention.kernels() == [Kernel.INT16]
    monkeypatch.setattr(attention, "instruction_sets", lambda: {"amx_bf16", "avx512_vnni"})
    assert "compiler knows no AMX" in (why_not() or "")
    monkeypatch.setattr(attention, "instruction_sets", lambda: {"avx512_vnni"})
    assert attention.fastest() is Kernel.INT16
