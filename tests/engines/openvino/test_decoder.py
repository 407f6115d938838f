"""Tokens one after another by our own code: those of the graph, whatever the layers hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("openvino")
pytest.importorskip("torch")

import openvino as ov

from healer.engines.openvino import decoder, products
from healer.engines.openvino.decoder import OwnRun, decoder_of
from healer.engines.openvino.language import Language
from tests.conversion.exact import made_exact
from tests.conversion.graphs import Graphs
from tests.gemma import make_checkpoint

if TYPE_CHECKING:
    from healer.engines.openvino.cache import Snapshot
    from healer.engines.openvino.decoder import Decoder

pytestmark = pytest.mark.skipif(not products.available(), reason="no AVX-512 VNNI, or not compiled")
TOKENS = np.random.default_rng(2).integers(20, 300, 60).tolist()
CLOSE = 3e-3  # of logits: activations of 16 bits, and the cache of this runtime is float32
THREADS = 2


class Both:
    """A checkpoint with layers that see `window` positions, as a graph and as a decoder."""

    def __init__(self, folder: Path, window: int) -> None:
        make_checkpoint(folder, layout="new", sliding_window=window)
        self.graphs = Graphs(made_exact(folder))
        self.model: Language = self.graphs.model
        found = decoder_of(self.graphs.built, self.model.attention, THREADS)
        assert found is not None
        self.decoder: Decoder = found

    def after(self, count: int) -> Snapshot:
        return self.model.read_on(None, TOKENS[:count])[1]


@pytest.fixture(scope="module", params=[8, 24, 1000])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("decoded"), request.param)


def steps(run: Any, tokens: list[int]) -> Any:  # noqa: ANN401
    return np.stack([run.step([token]) for token in tokens])


@pytest.mark.parametrize("read", [1, 20, 40])
@pytest.mark.parametrize("capacity", [3, 256])
def test_it_writes_what_the_graph_writes(
    both: Both, monkeypatch: pytest.MonkeyPatch, read: int, capacity: int
) -> None:
    """With a window shorter than what was read and longer, and own positions joined often."""
    monkeypatch.setattr(decoder, "CAPACITY", capacity)
    ours = decoder_of(both.graphs.built, both.model.attention, THREADS)
    assert ours is not None
    expected = steps(both.graphs.text(both.after(read)), TOKENS[read:])
    assert np.ptp(expected) > 1
    found = steps(OwnRun(ours, both.after(read)), TOKENS[read:])
    np.testing.assert_allclose(found, expected, atol=CLOSE)


def test_it_begins_with_nothing(both: Both) -> None:
    expected = steps(both.graphs.text(), TOKENS[:12])
    run = OwnRun(both.decoder, None)
    np.testing.assert_allclose(steps(run, TOKENS[:12]), expected, atol=CLOSE)
    assert run.length == 12


def test_the_window_makes_a_difference(both: Both) -> None:
    """Else the tests above would prove nothing of it."""
    window = both.model.attention.sliding_window
    attention = both.model.attention.model_copy(update={"sliding_window": 10_000})
    wide = decoder_of(both.graphs.built, attention, THREADS)
    assert wide is not None
    runs = [OwnRun(each, both.after(40)) for each in (both.decoder, wide)]
    narrow, whole = (steps(run, TOKENS[40:]) for run in runs)
    assert (np.abs(narrow - whole).max() > 20 * CLOSE) == (window < len(TOKENS))


def test_no_thread_moves_a_result(both: Both) -> None:
    alone = decoder_of(both.graphs.built, both.model.attention, 1)
    assert alone is not None
    runs = [OwnRun(each, both.after(20)) for each in (alone, both.decoder)]
    one, two = (steps(run, TOKENS[20:]) for run in runs)
    np.testing.assert_array_equal(one, two)


def test_what_was_saved_goes_on_as_what_ran(both: Both) -> None:
    live = OwnRun(both.decoder, both.after(30))
    live.step(TOKENS[30:45])
    restored = OwnRun(both.decoder, live.save())
    assert restored.length == live.length == 45
    np.testing.assert_allclose(
        steps(restored, TOKENS[45:]), steps(live, TOKENS[45:]), atol=CLOSE / 10
    )


def test_texts_of_one_beginning_do_not_mix(both: Both) -> None:
    after = both.after(20)
    before = {name: each.copy() for name, each in after.states.items()}
    alone = steps(OwnRun(both.decoder, after), TOKENS[20:30])
    one, other = (OwnRun(both.decoder, after) for _ in range(2))
    turns = [(one.step([token]), other.step([token + 1])) for token in TOKENS[20:30]]
    np.testing.assert_array_equal(np.stack([each for each, _ in turns]), alone)
    for name, state in before.items():
        np.testing.assert_array_equal(after.states[name], state)


def test_numbers_that_are_not_finite_are_not_lost(both: Both) -> None:
    after = both.after(5)
    after.states["value.0"][...] = np.nan
    assert np.isnan(OwnRun(both.decoder, after).step([7])).all()


def test_other_graphs_are_left_to_the_runtime(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "four bits", layout="new")
    graphs = Graphs(folder, "int4")
    assert decoder_of(graphs.built, graphs.model.attention, THREADS) is None
    x = ov.opset13.parameter([1], np.float32)
    capped = ov.Model([ov.opset13.tanh(x).output(0)], [x], "capped")
    assert decoder_of(capped, graphs.model.attention, THREADS) is None
