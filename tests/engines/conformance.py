"""What every engine must do. A new engine is one line in `test_conformance.py`."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from healer.engines.base import Answer, Engine, Evidence, FromClasses
from healer.engines.registry import ENGINES
from healer.images.tile import Tile
from healer.screening.screener import known_tile

# The same tile alone and among others: a margin may move by this much, a mass by this much.
TOLERANCE = 0.02
SIZES = [(96, 96), (1, 1), (1, 40), (3, 50), (50, 3), (33, 200), (200, 33)]  # height, width
SKIPPED_FROM_CACHE = {"vision"}  # of a picture that was scored before
# The words that a sentence for this answer may not start with.
CONTRADICTIONS = {
    Answer.YES: {"no"},
    Answer.NO: {"yes"},
    Answer.INDETERMINATE: {"yes", "no"},
}


def tiles() -> list[Tile]:
    """Odd sizes and colours, the same every time."""
    noise = np.random.default_rng(0)
    return [Tile(noise.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in SIZES]


class EngineConformance:
    """Subclass it with an `engine` fixture, or parametrise that fixture."""

    def test_is_an_engine(self, engine: Engine) -> None:
        assert isinstance(engine, Engine)

    @pytest.mark.parametrize(
        "field",
        [
            "engine",
            "model_id",
            "revision",
            "device",
            "dtype",
            "quantization",
            "prompt_id",
            "preprocessing_id",
        ],
    )
    def test_says_what_it_is(self, engine: Engine, field: str) -> None:
        assert getattr(engine.info, field).strip()

    def test_gives_one_finite_evidence_a_tile(self, engine: Engine) -> None:
        evidence = engine.score(tiles())
        assert len(evidence) == len(SIZES)
        for one in evidence:
            assert np.isfinite(one.margin)
            assert 0 <= one.mass <= 1
            assert all(0 <= finding.probability <= 1 for finding in one.findings)

    def test_no_tile_is_no_evidence(self, engine: Engine) -> None:
        assert list(engine.score([])) == []

    def test_keeps_the_order(self, engine: Engine) -> None:
        there = engine.score(tiles())
        back = engine.score(tiles()[::-1])
        for one, other in zip(there, reversed(back), strict=True):
            assert_same(one, other)

    def test_a_tiles_score_does_not_depend_on_its_batch(self, engine: Engine) -> None:
        first, *rest = tiles()
        alone = engine.score([first])[0]
        assert_same(engine.score([first, *rest])[0], alone)
        assert_same(engine.score([*rest, first])[-1], alone)

    def test_distinguishes_tiles(self, engine: Engine) -> None:
        white = Tile(np.full((64, 64, 3), 250, np.uint8))
        margins = [evidence.margin for evidence in engine.score([known_tile(), white])]
        assert margins[0] != pytest.approx(margins[1], abs=TOLERANCE)

    def test_says_how_long_stages_took_and_no_longer_than_the_whole(self, engine: Engine) -> None:
        """The stages that its spec names."""
        started = time.perf_counter()
        found = engine.score(tiles())
        took = time.perf_counter() - started
        known = ENGINES[engine.info.engine].stages if engine.info.engine in ENGINES else set()
        for evidence in found:
            assert known - SKIPPED_FROM_CACHE <= evidence.stages.keys() <= known
        assert all(seconds >= 0 for evidence in found for seconds in evidence.stages.values())
        assert sum(sum(evidence.stages.values()) for evidence in found) <= took

    def test_leaves_the_tile_alone(self, engine: Engine) -> None:
        tile = tiles()[0]
        before = tile.pixels.copy()
        engine.score([tile])
        assert (tile.pixels == before).all()

    @pytest.mark.parametrize("answer", list(Answer))
    def test_explains_any_answer_in_one_line(self, engine: Engine, answer: Answer) -> None:
        for evidence in engine.score(tiles()[:2]):
            sentence = "".join(engine.explain(evidence, answer))
            assert re.fullmatch(r"\S.*\S\.", sentence), sentence
            assert "\n" not in sentence
            most = 2 if isinstance(engine, FromClasses) else 1
            assert len(re.findall(r"[.!?] +[A-Z]", sentence)) < most, "no longer than it must be"
            first = re.split(r"\W", sentence.lower(), maxsplit=1)[0]
            assert first not in CONTRADICTIONS[answer]

    def test_explains_the_same_twice(self, engine: Engine) -> None:
        evidence = engine.score(tiles()[:1])[0]
        first = "".join(engine.explain(evidence, Answer.YES))
        assert "".join(engine.explain(evidence, Answer.YES)) == first

    def test_an_explanation_can_be_left_halfway(self, engine: Engine) -> None:
        evidence = engine.score(tiles()[:1])[0]
        whole = "".join(engine.explain(evidence, Answer.NO))
        half = engine.explain(evidence, Answer.NO)
        next(half)
        del half
        assert "".join(engine.explain(evidence, Answer.NO)) == whole


def assert_same(one: Evidence, other: Evidence) -> None:
    assert one.margin == pytest.approx(other.margin, abs=TOLERANCE)
    assert one.mass == pytest.approx(other.mass, abs=TOLERANCE)
