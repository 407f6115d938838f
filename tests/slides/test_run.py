"""One slide of tiles whose class and place are known, read by the model that ships."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.engines.base import Answer
from healer.screening.opening import EngineChoice, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import load_settings
from healer.slides.answer import SlideAnswer, caption_of
from healer.slides.reader import Area
from healer.slides.regions import RegionKind
from healer.slides.run import SlideOptions, SlideRun, binding_of, plan_for
from healer.slides.tiles import TileParts
from tests.slides.memory_slide import MemorySlide, glass

SIDE = 224
COLUMNS, ROWS = 8, 6
TISSUE = Area(1, 1, 6, 4)  # in tiles; glass around it
FOCUS = Area(3, 2, 3, 2)


@pytest.fixture(scope="module")
def screener() -> Iterator[Screener]:
    opened = open_screener(EngineChoice("builtin", "a test"), load_settings(engine="builtin"))
    yield opened
    opened.engine.close()


def picture_of(folder: Path, label: str, at: int) -> Image.Image:
    """At the 1 µm a pixel at which the model reads."""
    files = sorted((folder / "ebhi-seg" / label).glob("*.jpg"))
    return Image.open(files[at % len(files)]).convert("RGB").resize((SIDE, SIDE))


def slide_of(folder: Path, focus: str | None, damaged: tuple[Area, ...] = ()) -> MemorySlide:
    """Normal mucosa on glass, and in it where FOCUS is, tiles of another class."""
    canvas = Image.fromarray(glass(COLUMNS * SIDE, ROWS * SIDE))
    for row in range(TISSUE.y, TISSUE.bottom):
        for column in range(TISSUE.x, TISSUE.right):
            inside = focus and FOCUS.intersection(Area(column, row, 1, 1))
            label = str(focus) if inside else "normal"
            canvas.paste(
                picture_of(folder, label, row * COLUMNS + column), (column * SIDE, row * SIDE)
            )
    return MemorySlide(np.asarray(canvas), damaged=damaged)


def answer_of(
    slide: MemorySlide, screener: Screener, folder: Path, options: SlideOptions | None = None
) -> SlideAnswer:
    chosen = options or SlideOptions()
    binding = binding_of(slide.info, screener, plan_for(screener, chosen.overlap))
    with TileParts(folder) as parts:
        return SlideRun("biopsy", binding, slide, screener, parts, chosen).answer()


def test_cancer_is_found_where_it_was_put(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    answer = answer_of(slide_of(data_dir, "adenocarcinoma"), screener, tmp_path)
    assert answer.verdict.answer is Answer.YES
    assert not answer.verdict.calibrated
    (region,) = answer.suspicious
    truth = Area(FOCUS.x * SIDE, FOCUS.y * SIDE, FOCUS.width * SIDE, FOCUS.height * SIDE)
    shared = region.box.intersection(truth)
    assert shared is not None
    union = region.box.width * region.box.height + truth.width * truth.height
    overlap = shared.width * shared.height
    assert overlap / (union - overlap) > 0.7
    assert answer.second is not None
    assert answer.second.verdict is Answer.YES
    assert caption_of(answer, region)[0] == "1. Suspected cancer"
    doubtful = replace(answer, scores=replace(answer.scores, positive_tiles=0))
    assert caption_of(doubtful, region)[0] == "1. Doubtful: possible cancer"


def test_normal_mucosa_is_no_and_the_ledger_adds_up(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    answer = answer_of(slide_of(data_dir, None), screener, tmp_path)
    assert answer.verdict.answer is Answer.NO
    assert answer.regions == ()
    coverage = answer.coverage
    known = TISSUE.width * TISSUE.height * (SIDE / 1000) ** 2
    assert coverage.tissue == pytest.approx(known, rel=0.1)
    parts = coverage.read + sum(coverage.excluded.values()) + coverage.unreadable
    assert parts + coverage.unvisited == pytest.approx(coverage.tissue)
    assert coverage.share > 0.95


def test_damage_in_the_middle_is_counted_and_leaves_no_no(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    hole = Area(3 * SIDE + 1, 2 * SIDE + 1, 2 * SIDE - 2, 2 * SIDE - 2)
    answer = answer_of(slide_of(data_dir, None, (hole,)), screener, tmp_path)
    assert answer.verdict.answer is Answer.INDETERMINATE
    assert answer.coverage.unreadable == pytest.approx(4 * (SIDE / 1000) ** 2, rel=0.3)
    assert "unreadable in the file" in str(answer.verdict.reason)
    relaxed = answer_of(
        slide_of(data_dir, None, (hole,)),
        screener,
        tmp_path / "b",
        SlideOptions(least_coverage=0.5),
    )
    assert relaxed.verdict.answer is Answer.NO


def test_low_grade_neoplasia_is_no_cancer_but_a_precursor(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    answer = answer_of(slide_of(data_dir, "low-grade-in"), screener, tmp_path)
    assert answer.verdict.answer is not Answer.YES
    assert answer.second is not None
    assert answer.second.verdict is Answer.YES
    assert any(region.kind is RegionKind.PRECURSOR for region in answer.regions)


def test_doubtful_tiles_say_where_to_look_where_none_is_a_yes(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    answer = answer_of(slide_of(data_dir, "high-grade-in"), screener, tmp_path)
    assert screener.calibration is not None
    assert answer.verdict.answer is Answer.INDETERMINATE
    assert answer.suspicious
    assert all(each.peak >= screener.calibration.lower for each in answer.suspicious)


def test_bare_glass_is_no_answer(screener: Screener, tmp_path: Path) -> None:
    answer = answer_of(MemorySlide(glass(1000, 800)), screener, tmp_path)
    assert answer.verdict.answer is Answer.INDETERMINATE
    assert answer.sentence == answer.verdict.reason == "No tissue was found on the slide."
    assert answer.headline == "No tissue found"
    document = answer.as_json()
    assert (document["unanswered"], document["probability"]) == ("no_tissue", None)


def test_a_stopped_run_goes_on_without_reading_a_tile_twice(
    data_dir: Path, screener: Screener, tmp_path: Path
) -> None:
    whole = slide_of(data_dir, "adenocarcinoma")
    expected = answer_of(whole, screener, tmp_path / "whole")
    stopped = slide_of(data_dir, "adenocarcinoma")
    stopped.stop_after = 20
    with pytest.raises(KeyboardInterrupt):
        answer_of(stopped, screener, tmp_path / "stopped")
    resumed = slide_of(data_dir, "adenocarcinoma")
    answer = answer_of(resumed, screener, tmp_path / "stopped")
    assert answer.results == expected.results
    assert answer.scores == expected.scores
    kept = stopped.tiles_read - 4  # of the batch that was not complete
    assert resumed.tiles_read == whole.tiles_read - kept
