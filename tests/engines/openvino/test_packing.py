from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.checkpoint.shapes import SHAPES
from healer.engines.openvino.cache import ImageCache, Packed, Rows, Snapshot
from healer.settings.loading import Settings

BYTES_A_MB = 1024 * 1024
PREFIX_TOKENS = 263  # of MedGemma's prompt up to the end of its image: 256 of them are the image


def rows(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(1, 2, 9, 256)).astype(np.float32)


def test_each_value_is_within_half_a_step() -> None:
    values = rows()
    packed = Rows.of(values)
    step = (values.max(-1, keepdims=True) - values.min(-1, keepdims=True)) / 255
    assert (np.abs(packed.values() - values) <= step * 0.501).all()
    assert packed.values().dtype == np.float32


def test_what_was_packed_before_comes_out_the_same() -> None:
    once = Rows.of(rows())
    again = Rows.of(once.values())
    assert np.array_equal(again.codes, once.codes)
    assert np.allclose(again.values(), once.values(), rtol=0, atol=1e-5)


def test_rows_of_one_value_are_exact() -> None:
    values = np.full((1, 1, 3, 8), -1.25, np.float32)
    assert np.array_equal(Rows.of(values).values(), values)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_so(spoilt: float) -> None:
    values = rows()
    values[0, 0, 0, 0] = spoilt
    found = Rows.of(values).values()
    assert not np.isfinite(found[0, 0, 0]).all()
    assert np.isfinite(found[0, 1]).all()


def test_the_default_holds_three_images_of_medgemmas_shape() -> None:
    """Exactly: 18,885,504 bytes of keys and values (73,252,864 as float32, more than the whole
    cache) and 2,621,440 of features each."""
    text, vision = SHAPES["medgemma-4b"].text, SHAPES["medgemma-4b"].vision
    shape = (1, text.kv_heads, PREFIX_TOKENS, text.head_dim)
    names = [f"{kind}.{layer}" for layer in range(text.layers) for kind in ("key", "value")]
    snapshot = Snapshot(dict.fromkeys(names, np.zeros(shape, np.float32)), PREFIX_TOKENS)
    packed = Packed.of(snapshot)
    features = np.zeros((vision.tokens, text.hidden), np.float32)
    budget = Settings.model_fields["image_cache_mb"].default * BYTES_A_MB
    assert (snapshot.nbytes, packed.nbytes, features.nbytes) == (73252864, 18885504, 2621440)
    assert snapshot.nbytes > budget
    cache = ImageCache(budget)
    for image in "abc":
        cache.keep(image, features, packed)
    assert all(cache.prefix(image) is not None for image in "abc")
    assert cache.nbytes == 3 * (packed.nbytes + features.nbytes) <= budget
    cache.keep("d", features, packed)
    # The features of all four leave room for two.
    assert [cache.prefix(image) is not None for image in "abcd"] == [False, False, True, True]
    assert all(cache.features(image) is not None for image in "abcd")
