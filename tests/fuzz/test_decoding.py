"""A short run of `python -m benchmarks.fuzz`, with inputs that are always the same."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from healer import errors
from healer.images.decode import decode
from healer.quality.gate import LoadedTile
from healer.sandbox import load_tile
from tests.fuzz.mutations import LONGEST, mutated, seeds

MAX_PIXELS = 250_000


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_spoilt_picture_is_read_or_refused(chance: random.Random) -> None:
    outcome = outcome_of(mutated(chance, seeds()))
    if isinstance(outcome, errors.RequestError):
        assert str(outcome).isprintable()
        assert len(str(outcome)) < 500
    else:
        tile = outcome.tile
        assert tile.pixels.shape == (tile.height, tile.width, 3)
        assert 0 < tile.pixels.nbytes <= 3 * MAX_PIXELS


def outcome_of(data: bytes) -> LoadedTile | errors.RequestError:
    try:
        return load_tile(data, "warn", MAX_PIXELS)
    except errors.RequestError as error:
        return error


def test_the_seeds_are_good_and_their_mutants_are_not_all_bad() -> None:
    for seed in seeds():
        assert decode(seed, max_pixels=MAX_PIXELS, page=1).pixels.size
    chance = random.Random(7)  # noqa: S311
    mutants = [mutated(chance, seeds()) for _ in range(500)]
    assert all(len(each) <= LONGEST for each in mutants)
    read = sum(isinstance(outcome_of(each), LoadedTile) for each in mutants)
    assert 50 < read < 450
