from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from healer.engines.base import Answer, Evidence
from healer.errors.engine import EngineOutOfMemory
from healer.images.tile import Tile
from healer.screening.screener import Screener
from healer.slides.cascade import Opinion, choose_patches, opinion_of
from healer.slides.reader import Area
from healer.slides.regions import find_regions
from healer.slides.run import SlideOptions
from tests.fake_engine import FakeEngine
from tests.slides.drawn import answered, drawn_slide
from tests.slides.results import CUT, HALF_UM, scored


class Always(FakeEngine):
    """Says the same of every picture."""

    def __init__(self, margin: float) -> None:
        self.margin, self.shown = margin, list[tuple[int, int]]()

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.shown += [(tile.width, tile.height) for tile in tiles]
        return [Evidence(self.margin) for _ in tiles]

    def explain(self, _evidence: Evidence, answer: Answer) -> Iterator[str]:
        yield f"It looks like {answer}."


class Failing(FakeEngine):
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def score(self, _tiles: Sequence[Tile]) -> Sequence[Evidence]:
        raise self.failure


def test_a_second_model_that_agrees_confirms_each_place(tmp_path: Path) -> None:
    engine = FakeEngine()
    answer = answered(drawn_slide(), tmp_path, second=Screener(engine))
    assert answer.cascade is not None
    assert answer.verdict.answer is Answer.YES
    (said,) = answer.cascade.of_region(1)
    assert said.opinion is Opinion.CONFIRMS
    assert said.sentence.startswith("The fake engine says yes")


def test_patches_are_896_pixels(tmp_path: Path) -> None:
    engine = Always(5)
    answered(drawn_slide(), tmp_path, SlideOptions(patches=3), Screener(engine))
    assert set(engine.shown) == {(896, 896)}
    assert 1 <= len(engine.shown) <= 3


def test_a_yes_that_is_doubted_everywhere_is_open_and_says_who_said_what(tmp_path: Path) -> None:
    answer = answered(drawn_slide(), tmp_path, second=Screener(Always(-5)))
    assert answer.first.answer is Answer.YES
    assert answer.verdict.answer is Answer.INDETERMINATE
    assert "The two models disagree" in str(answer.verdict.reason)
    assert "healer/fake read every tile and said yes" in str(answer.verdict.reason)


def test_a_no_against_which_a_place_is_read_as_cancer_is_open(tmp_path: Path) -> None:
    answer = answered(drawn_slide(None), tmp_path, second=Screener(Always(5)))
    assert answer.first.answer is Answer.NO
    assert answer.verdict.answer is Answer.INDETERMINATE


@pytest.mark.parametrize("failure", [EngineOutOfMemory(), RuntimeError("CUDA out of memory")])
def test_a_model_that_fails_is_silent_and_changes_nothing(
    tmp_path: Path, failure: Exception
) -> None:
    answer = answered(drawn_slide(), tmp_path, second=Screener(Failing(failure)))
    assert answer.verdict.answer is Answer.YES
    assert answer.cascade is not None
    assert {each.opinion for each in answer.cascade.answers} == {Opinion.SILENT}
    assert "memory" in answer.cascade.answers[0].sentence


@pytest.mark.parametrize(
    ("first", "second", "opinion"),
    [
        (Answer.YES, Answer.YES, Opinion.CONFIRMS),
        (Answer.NO, Answer.NO, Opinion.CONFIRMS),
        (Answer.YES, Answer.NO, Opinion.DOUBTS),
        (Answer.NO, Answer.YES, Opinion.DOUBTS),
        (Answer.YES, Answer.INDETERMINATE, Opinion.SILENT),
        (Answer.INDETERMINATE, Answer.YES, Opinion.SILENT),
    ],
)
def test_opinions(first: Answer, second: Answer, opinion: Opinion) -> None:
    assert opinion_of(first, second) is opinion


def test_patches_show_regions_by_rank_then_spread_over_the_tissue_alike_for_a_seed() -> None:
    focus = {(3, 3): 0.9, (4, 3): 0.95, (20, 20): 0.8}
    tiles = [scored(x, y, focus.get((x, y), 0.01 + x / 1000)) for x in range(40) for y in range(40)]
    regions = find_regions(tiles, HALF_UM, CUT)
    patches = choose_patches(regions, tiles, HALF_UM, 8, seed=3)
    assert [patch.region for patch in patches[:2]] == [1, 2]
    assert patches[0].area.intersection(Area(400, 300, 100, 100)) is not None
    assert len(patches) == 8
    pairs = [(a, b) for a in patches for b in patches if a is not b]
    assert not any(a.area.intersection(b.area) for a, b in pairs)
    assert patches == choose_patches(regions, tiles, HALF_UM, 8, seed=3)


def test_another_seed_shows_other_places_and_the_same_suspicious_ones() -> None:
    focus = {(3, 3): 0.9, (4, 3): 0.95}
    tiles = [scored(x, y, focus.get((x, y), 0.01 + x / 1000)) for x in range(40) for y in range(40)]
    regions = find_regions(tiles, HALF_UM, CUT)
    one, other = (choose_patches(regions, tiles, HALF_UM, 8, seed) for seed in (1, 2))
    assert one[:6] == other[:6]
    assert one[6:] != other[6:]


def test_a_patch_at_the_edge_is_moved_into_what_was_scanned() -> None:
    tiles = [scored(0, 0, 0.9), scored(0, 1, 0.8)]
    regions = find_regions(tiles, HALF_UM, CUT)
    bounds = Area(0, 0, 5000, 5000)
    (patch, *_) = choose_patches(regions, tiles, HALF_UM, 1, seed=0, within=bounds)
    assert (patch.area.x, patch.area.y, patch.area.width) == (0, 0, 896)
    small = Area(0, 0, 100, 5000)
    (patch, *_) = choose_patches(regions, tiles, HALF_UM, 1, seed=0, within=small)
    assert patch.area.x < 0 == patch.area.y


def test_no_tile_no_patch() -> None:
    assert choose_patches([], [], HALF_UM, 8, seed=0) == []
