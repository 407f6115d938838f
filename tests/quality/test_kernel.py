"""What C measures is what NumPy measures, to the last bit where the sum is not BLAS's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from healer.images.tile import Tile
from healer.quality import kernel
from healer.quality.figures import measure_figures
from healer.quality.gate import Gate
from healer.quality.planes import Floats, halved, planes_of, sample_of
from healer.quality.stains import COLOURS, Colours, measure_colours_plainly
from healer.quality.texture import MEASURES, Texture, measure_texture_plainly
from tests.quality.pictures import (
    chequered,
    flat,
    fluorescent,
    gradient,
    opened,
    purple_noise,
    screen,
    white_noise,
)

SHAPES = [(32, 32), (33, 35), (47, 64), (65, 67), (101, 190), (224, 224), (77, 300), (224, 896)]
# BLAS's order differs with the processor and with how many threads it takes.
BY_BLAS = {"moments", "cubed", "fourth"}
BANDS = r"(skew|kurtosis|warmth|purpleness|light_\w+|warm_\w+)_\d"
FIGURES_BY_BLAS = re.compile(rf"{BANDS}|corr_.*")


def compiled(folder: Path, *options: str) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    sources = sorted(Path(kernel.__file__).parent.glob("gate*.c"))
    if not sources:
        pytest.skip("the sources in C are not there")
    made = folder / "libgate.so"
    further = ["-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", *options]
    command = ["cc", "-O3", *further, "-std=gnu11", "-shared", "-fPIC"]
    subprocess.run([*command, *map(str, sources), "-o", str(made), "-lm"], check=True)
    return made


@pytest.fixture(scope="module", params=["", "-DHEALER_WITHOUT_AVX2"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("texture"), *filter(None, [request.param]))


@pytest.fixture(autouse=True)
def in_c(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setattr(kernel, "LIBRARY", library)
    assert kernel._open(library) is not None


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """With edges, flat parts and noise."""
    rng = np.random.default_rng(height)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[: height // 2] //= 8
    pixels[:, : width // 3] = pixels[:, width // 3 : width // 3 + 1]
    return pixels


def assert_same(found: Texture, expected: Texture) -> None:
    assert (found.rows, found.columns) == (expected.rows, expected.columns)
    assert np.array_equal(found.sample, expected.sample)
    assert np.array_equal(found.blocks, expected.blocks)
    for name in MEASURES.names or ():
        one, other = found.found[name], expected.found[name]
        if name not in BY_BLAS:
            assert np.array_equal(one, other), name
            continue
        size = np.abs(expected.found["moments"]).max(axis=(1, 2)) + 1e-6
        power = {"moments": 1, "cubed": 1.5, "fourth": 2}[name]
        size = size.reshape(-1, *[1] * (one.ndim - 1)) ** power
        assert (np.abs(one - other) / size).max() < 1e-5, name


def sample(pixels: NDArray[np.uint8]) -> Floats:
    return sample_of(halved(planes_of(pixels)))


def assert_same_colours(found: Colours, expected: Colours) -> None:
    for name in ("density", "share", "x", "y", "saturation", "cube"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    one, other = found.found, expected.found
    for name in COLOURS.names or ():
        if name == "correlation":
            assert np.allclose(one[name], other[name], rtol=1e-5, atol=1e-6)
        elif name != "stains":
            assert np.array_equal(one[name], other[name]), name
    for name in one["stains"].dtype.names or ():
        assert np.array_equal(one["stains"][name], other["stains"][name]), name


@pytest.mark.parametrize("shape", SHAPES)
def test_every_measure_of_colour_is_numpys(shape: tuple[int, int]) -> None:
    planes = sample(picture(*shape))
    assert_same_colours(kernel.measure_colours(planes), measure_colours_plainly(planes))


@pytest.mark.parametrize(
    "tile",
    [
        white_noise(),
        gradient(),
        chequered(),
        fluorescent(),
        flat((0, 0, 0)),
        flat((255, 255, 255)),
        flat((225, 150, 195)),
    ],
)
def test_every_measure_of_colour_is_numpys_on_what_is_no_tissue(tile: Tile) -> None:
    planes = sample(tile.pixels[:224, :224])
    assert_same_colours(kernel.measure_colours(planes), measure_colours_plainly(planes))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_measure_is_numpys(shape: tuple[int, int]) -> None:
    assert_same(kernel.measure_texture(picture(*shape)), measure_texture_plainly(picture(*shape)))


@pytest.mark.parametrize("tile", [white_noise(), purple_noise(), gradient(), chequered(), screen()])
def test_every_measure_is_numpys_on_what_is_no_tissue(tile: Tile) -> None:
    view = tile.pixels[:224, :224]
    assert_same(kernel.measure_texture(view), measure_texture_plainly(view))


def test_a_view_that_is_part_of_another_array_is_read_right() -> None:
    pixels = picture(224, 300)[:, 11:235]
    assert not pixels.flags["C_CONTIGUOUS"]
    assert_same(kernel.measure_texture(pixels), measure_texture_plainly(pixels.copy()))


def test_one_call_leaves_nothing_for_the_next() -> None:
    small = measure_texture_plainly(picture(33, 35))
    kernel.measure_texture(picture(224, 896))
    assert_same(kernel.measure_texture(picture(33, 35)), small)


def test_a_view_too_long_to_keep_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "KEPT", 1000)
    assert_same(
        kernel.measure_texture(picture(101, 190)), measure_texture_plainly(picture(101, 190))
    )


def without_c(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(kernel, "LIBRARY", folder / "libgate.so")


def test_figures_of_tissue_and_what_follows_from_them(
    samples: list[Path], gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiles = [Tile(opened(path)) for path in samples]
    tiles += [flat((225, 150, 195)), fluorescent(), white_noise()]
    figures = [measure_figures(tile.pixels) for tile in tiles]
    reports = [gate.assess(tile) for tile in tiles]
    without_c(monkeypatch, tmp_path)
    for tile, found, report in zip(tiles, figures, reports, strict=True):
        expected = measure_figures(tile.pixels)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if FIGURES_BY_BLAS.fullmatch(name):
                assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name
            else:
                assert found[name] == value, name
        assert report.reasons == gate.assess(tile).reasons


def test_without_a_library_numpy_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_c(monkeypatch, tmp_path)
    assert_same(kernel.measure_texture(picture(65, 67)), measure_texture_plainly(picture(65, 67)))


def test_a_library_of_an_earlier_healer_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel, "LIBRARY", compiled(tmp_path))
    monkeypatch.setattr(kernel, "MEASURES", np.dtype([("alike", np.float32)]))
    assert kernel._open(kernel.LIBRARY) is None
