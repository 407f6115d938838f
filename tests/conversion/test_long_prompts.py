"""Prompts of many pictures, longer than the sliding window, against transformers in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from healer.engines.openvino import run as runs
from healer.engines.openvino.cache import Snapshot
from healer.engines.openvino.conversion_record import SLIDING, Attention
from healer.engines.openvino.language import Chunk
from healer.engines.openvino.run import Run
from healer.engines.vlm.prompt import chunks
from healer.images.tile import Tile
from tests.conversion.exact import made_exact
from tests.conversion.graphs import Floats, Graphs, Torch
from tests.gemma import IMAGE_TOKENS, make_checkpoint

ROUNDING = 2e-4  # of float32, in another order
PICTURES = 9
TEXT = "What do the pictures show? Name each by its number."
# Of sliding-window layers: less than a picture's tokens (16), more, and more than a chunk's.
WINDOWS = (10, 24, 90)
MORE = np.random.default_rng(1).integers(20, 300, 40).tolist()


def tile(seed: int) -> Tile:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Tile(pixels)


class Shown:
    """PICTURES to one checkpoint in both libraries."""

    def __init__(self, folder: Path, window: int) -> None:
        make_checkpoint(folder, layout="new", sliding_window=window)
        self.graphs, self.torch = Graphs(made_exact(folder)), Torch(folder)
        self.torch.show(TEXT, [tile(seed) for seed in range(PICTURES)])
        self.features = self.torch.features()
        self.image = self.graphs.config.image_token_id

    def read(self, most: int) -> tuple[Floats, Snapshot]:
        return self.graphs.model.read(self.chunks(most))

    def chunks(self, most: int) -> list[Chunk]:
        found, done = list[Chunk](), 0
        for ids in chunks(self.torch.ids, self.image, most):
            stop = done + ids.count(self.image)
            found.append((ids, self.features[done:stop]))
            done = stop
        assert done == PICTURES * IMAGE_TOKENS
        return found


@pytest.fixture(scope="module", params=WINDOWS)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("sliding"), request.param)


def held(run: Run, attention: Attention, *, sliding: bool) -> set[int]:
    """How many positions the states of a kind of layer hold."""
    return {
        state.shape[2]
        for name, state in run.save().states.items()
        if (attention.names[name] == SLIDING) == sliding
    }


@pytest.mark.parametrize("most", [20, 45, 80])
def test_a_prompt_in_chunks_is_the_prompt_of_transformers(shown: Shown, most: int) -> None:
    expected = shown.torch.logits([])[-1]
    assert np.ptp(expected) > 1
    assert len(shown.chunks(most)) > 2
    found, _ = shown.read(most)
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


def test_a_prompt_in_one_step_is_the_prompt_of_transformers(shown: Shown) -> None:
    found = shown.graphs.text().step(shown.torch.ids, shown.features)
    np.testing.assert_allclose(found, shown.torch.logits([])[-1], atol=ROUNDING)


def test_the_window_makes_a_difference(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the other tests would prove nothing."""
    monkeypatch.setattr(shown.torch.model.config.text_config, "sliding_window", 100_000)
    wide = shown.torch.logits([])[-1]
    found, _ = shown.read(45)
    assert np.abs(found - wide).max() > 20 * ROUNDING


def test_tokens_after_it_are_those_of_transformers_however_little_is_held(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States of sliding-window layers are shortened again and again, the others never."""
    spare = 7
    monkeypatch.setattr(runs, "SPARE", spare)
    expected = shown.torch.logits(MORE)[-len(MORE) - 1 :]
    logits, after = shown.read(45)
    found, run = [logits], shown.graphs.text(after)
    attention = shown.graphs.model.attention
    window = attention.sliding_window
    assert held(run, attention, sliding=True) == {min(window - 1, len(shown.torch.ids))}
    lengths = set[int]()
    for token in MORE:
        found.append(run.step([token]))
        lengths |= held(run, attention, sliding=True)
    np.testing.assert_allclose(np.stack(found), expected, atol=ROUNDING)
    assert max(lengths) <= window + spare
    assert window in lengths  # it was shortened to one less, and read one more
    whole = len(shown.torch.ids) + len(MORE)
    assert run.length == whole
    assert held(run, attention, sliding=False) == {whole}


def test_two_texts_in_chunks_do_not_mix(shown: Shown) -> None:
    first, _ = shown.read(45)
    _, after = shown.graphs.model.read([([2, 11, 12], None), ([13, 14], None)])
    other = shown.graphs.text(after)
    np.testing.assert_array_equal(shown.read(45)[0], first)
    np.testing.assert_allclose(
        other.step([15]), shown.graphs.text().step([2, 11, 12, 13, 14, 15]), atol=ROUNDING
    )


def test_a_step_may_be_several_tokens_once_the_window_is_full(shown: Shown) -> None:
    expected = shown.torch.logits(MORE)[-1]
    run = shown.graphs.text(shown.read(45)[1])
    run.step(MORE[:5])
    np.testing.assert_allclose(run.step(MORE[5:]), expected, atol=ROUNDING)
