"""What the gate measures in few passes is, to the last bit, what it measured plainly before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from healer.images.tile import Tile
from healer.quality.figures import detail, measure_figures
from healer.quality.gate import HistologyHead, gate_figures
from healer.quality.planes import Floats, fraction, halved, halvings, octaves, planes_of
from healer.quality.texture import GREENS, light_warm_purple, patterns
from tests.quality.pictures import fluorescent, gradient, purple_noise, white_noise

SHAPES = [(64, 64), (65, 67), (101, 190), (224, 224), (77, 300)]


def picture(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def taken_away(planes: Floats) -> Floats:
    """The former way: every pixel of four in turn."""
    coarse = halved(planes)
    rows, columns = coarse.shape[-2] * 2, coarse.shape[-1] * 2
    fine = np.empty((len(planes), rows, columns), np.float32)
    for row, column in product((0, 1), (0, 1)):
        part = (slice(None), slice(row, rows, 2), slice(column, columns, 2))
        np.subtract(planes[part], coarse, out=fine[part])
    return fine


@pytest.mark.parametrize("shape", [*SHAPES, (3, 9), (4, 4), (7, 5)])
def test_octaves_are_what_halving_takes_away(shape: tuple[int, int]) -> None:
    planes = planes_of(picture(*shape))
    found = list(octaves(halvings(planes, 5)))
    assert len(found) == min(5, max(0, min(shape).bit_length() - 2))
    for band in found:
        assert np.array_equal(band, taken_away(planes))
        planes = halved(planes)


@pytest.mark.parametrize("shape", SHAPES)
def test_light_warm_and_purple_are_their_matrix(shape: tuple[int, int]) -> None:
    planes = planes_of(picture(*shape))
    matrix = np.array([[0.25, 0.5, 0.25], [1, 0, -1], [0.5, -1, 0.5]], np.float32)
    assert np.array_equal(light_warm_purple(planes), np.tensordot(matrix, planes, 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_shared_planes_give_the_same_figures(shape: tuple[int, int]) -> None:
    pixels = picture(*shape)
    found = measure_figures(pixels)
    assert found["detail"] == detail(pixels)
    assert found["alike"] == float((pixels[:, 1:, 1] == pixels[:, :-1, 1]).mean())
    green = halved(planes_of(pixels))[1]
    for name, grey in (("fine", green), ("coarse", halved(green))):
        expected = patterns(grey) / grey[1:-1, 1:-1].size
        assert [found[f"{name}_{at}"] for at in range(10)] == list(expected)
    for name, grey in (("small", green), ("large", halved(green))):
        around = [grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]]
        dips = np.maximum(np.min(around, axis=0) - grey[1:-1, 1:-1], 0)
        assert found[f"{name}_dips"] == float((dips > 2).mean())


def test_fewer_octaves_than_detail_asks_for_count_as_none() -> None:
    tiny = picture(6, 6)
    assert len(halvings(planes_of(tiny), GREENS)) == 2
    assert detail(tiny) > 1000  # over nothing but the hundredth that keeps it finite


@pytest.mark.parametrize("shape", [(1,), (7, 3), (100, 101)])
def test_a_fraction_is_the_mean_of_a_mask(shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(0).random(shape) < 0.3
    assert fraction(mask) == float(mask.mean())


def step_by_step(head: HistologyHead, measured: Mapping[str, float]) -> float:
    """The former way: only of the nodes on the way."""
    row = np.array([measured[name] for name in head.names], np.float32)
    at = head.roots
    for _ in range(head.depth):
        at = np.where(row[head.feature[at]] <= head.threshold[at], head.left[at], head.right[at])
    return float(1 / (1 + np.exp(-head.value[at].sum(dtype=np.float64))))


@pytest.mark.parametrize("name", ["histology", "stain"])
def test_trees_lead_where_they_led_step_by_step(name: str) -> None:
    head = HistologyHead.load(name)
    tiles = [Tile(picture(*shape)) for shape in SHAPES]
    tiles += [white_noise(), purple_noise(), gradient(), fluorescent()]
    for tile in tiles:
        measured = gate_figures(tile)
        assert head.probability(measured) == step_by_step(head, measured)
