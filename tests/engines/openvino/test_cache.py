from __future__ import annotations

import numpy as np
import pytest

from healer.engines.openvino.cache import Floats, ImageCache, Packed, Snapshot, key_of

FEATURES, PREFIX = 400, 1800  # bytes; 100 rows of 10 values, a byte each and two floats a row


def features(value: float = 0.0) -> Floats:
    return np.full((10, 10), value, np.float32)


def prefix(value: float = 0.0) -> Packed:
    return Packed.of(Snapshot({"key.0": np.full((1, 2, 50, 10), value, np.float32)}, 50))


def filled(budget: int, images: str) -> ImageCache:
    cache = ImageCache(budget)
    for index, name in enumerate(images):
        cache.keep(name, features(index), prefix(index))
        assert cache.nbytes <= budget
    return cache


def cached(cache: ImageCache, images: str) -> tuple[str, str]:
    """Of which images features are there, and of which keys and values."""
    return (
        "".join(name for name in images if cache.features(name) is not None),
        "".join(name for name in images if cache.prefix(name) is not None),
    )


def test_a_cached_entry_is_returned() -> None:
    cache = filled(10 * (FEATURES + PREFIX), "ab")
    found, seen = cache.features("b"), cache.prefix("b")
    assert found is not None
    assert seen is not None
    assert found[0, 0] == 1
    assert seen.unpacked().states["key.0"][0, 0, 0, 0] == 1
    assert seen.length == 50
    assert cache.features("c") is None
    assert cache.prefix("c") is None
    assert cache.nbytes == 2 * (FEATURES + PREFIX)


@pytest.mark.parametrize(
    ("budget", "there"),
    [
        (0, ("", "")),
        (FEATURES - 1, ("", "")),
        (FEATURES, ("d", "")),
        (PREFIX, ("d", "")),
        (PREFIX + FEATURES, ("d", "d")),
        (PREFIX + 3 * FEATURES, ("bcd", "d")),
        (2 * PREFIX + 4 * FEATURES, ("abcd", "cd")),
        (4 * PREFIX + 4 * FEATURES, ("abcd", "abcd")),
    ],
)
def test_large_and_old_goes_first(budget: int, there: tuple[str, str]) -> None:
    assert cached(filled(budget, "abcd"), "abcd") == there


def test_the_least_recently_used_entry_goes_first() -> None:
    cache = filled(2 * PREFIX + 3 * FEATURES, "ab")
    assert cache.prefix("a") is not None
    cache.keep("c", features(), prefix())
    assert cached(cache, "abc") == ("abc", "ac")


def test_keeping_the_same_image_twice_costs_once() -> None:
    assert filled(10 * PREFIX, "aaa").nbytes == FEATURES + PREFIX


def test_cleared_is_empty() -> None:
    cache = filled(10 * PREFIX, "ab")
    cache.clear()
    assert cache.nbytes == 0


def test_a_key_is_of_the_pixels_alone() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert key_of(pixels) == key_of(pixels.copy())
    assert key_of(pixels) != key_of(pixels[::-1].copy())
