"""A wide field read window by window: nothing is lost in it, and one odd window proves nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from healer.engines.base import Answer, Evidence, FieldScale
from healer.engines.builtin.engine import BuiltinEngine
from healer.images.tile import Tile
from healer.screening import calibration
from healer.screening.opening import SHIPPED
from healer.screening.screener import Score, Screener, known_tile
from healer.screening.wide_field import AT_ONCE, RULE
from tests.fake_engine import FakeEngine

WIDTH, HEIGHT = 3100, 2088
ACROSS, DOWN = 620, 696  # a fifteenth of it


class Reader(FakeEngine):
    """Windows of 224 px at 1 µm a pixel; the redder, the more cancer."""

    scale = FieldScale(widest=650, window=224)

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.batch_sizes.append(len(tiles))
        return super().score(tiles)


def tissue(width: int = 1000, height: int = 800) -> NDArray[np.uint8]:
    """A drawn field; its mean is bluer than red."""
    side = max(width, height)
    pixels = known_tile(side).pixels[:height, :width].copy()
    pixels[..., 0] //= 2
    return pixels


def redden(pixels: NDArray[np.uint8], x: int, y: int, side: int) -> None:
    part = pixels[y : y + side, x : x + side]
    part[..., 0], part[..., 1] = 255, part[..., 1] // 3


def score_tile(pixels: NDArray[np.uint8], mpp: float | None = 1.0) -> tuple[Score, Reader]:
    engine = Reader()
    return Screener(engine).score([Tile(pixels, mpp)])[0], engine


def test_a_small_lesion_is_not_lost_in_a_wide_field() -> None:
    pixels = tissue()
    assert Screener(FakeEngine()).score([Tile(pixels, 1.0)])[0].verdict.answer is Answer.NO
    redden(pixels, 450, 300, 300)
    assert Screener(FakeEngine()).score([Tile(pixels, 1.0)])[0].verdict.answer is Answer.NO
    score, _ = score_tile(pixels)
    assert score.verdict.answer is Answer.YES
    assert score.windows is not None
    best = max(score.windows, key=lambda window: window.probability)
    assert best.verdict is Answer.YES
    assert 450 - 112 <= best.x <= 450 + 188
    assert 300 - 112 <= best.y <= 300 + 188


def test_one_window_alone_is_no_answer() -> None:
    """Its neighbours share half its tissue; where none of them agrees, it is not believed."""
    pixels = tissue()
    score, _ = score_tile(pixels)
    assert score.windows is not None
    some = score.windows[len(score.windows) // 2]
    redden(pixels, some.x + 80, some.y + 80, 64)
    lone, _ = score_tile(pixels)
    assert lone.windows is not None
    assert lone.verdict.probability < max(window.probability for window in lone.windows)


def test_it_is_warned_of_and_not_calibrated() -> None:
    score, engine = score_tile(tissue())
    (warning,) = score.warnings
    assert warning.code == "wide_field"
    assert "windows of 224 pixels" in warning.sentence
    assert not score.verdict.calibrated
    assert max(engine.batch_sizes) <= AT_ONCE
    assert score.windows is not None
    assert sum(engine.batch_sizes) == len(score.windows)


def test_windows_of_bare_glass_are_counted_and_not_scored() -> None:
    pixels = np.full((800, 1000, 3), 244, np.uint8)
    pixels[:, :450] = tissue()[:, :450]
    score, engine = score_tile(pixels)
    assert score.windows is not None
    assert 0 < len(score.windows) < 8 * 7
    assert sum(engine.batch_sizes) == len(score.windows)
    assert "show bare glass and were not scored" in score.warnings[0].sentence
    assert all(window.x < 450 for window in score.windows)


def test_bare_glass_alone_is_scored_whole() -> None:
    score, _ = score_tile(np.full((800, 1000, 3), 244, np.uint8))
    assert score.windows == ()
    assert not score.verdict.calibrated


@pytest.mark.parametrize(("width", "height"), [(100_000, 1), (1, 100_000), (3000, 63)])
def test_a_strip_too_narrow_for_a_window_is_scored_whole(width: int, height: int) -> None:
    score, engine = score_tile(np.full((height, width, 3), (180, 90, 160), np.uint8))
    assert score.windows is None
    assert score.warnings[0].code == "wide_field"
    assert not score.verdict.calibrated
    assert engine.batch_sizes == [1]


def test_an_engine_that_reads_no_windows_only_warns() -> None:
    score = Screener(FakeEngine()).score([Tile(tissue(), 1.0)])[0]
    assert score.windows is None
    assert "a small lesion can be missed" in score.warnings[0].sentence
    assert not score.verdict.calibrated


def test_answers_come_in_the_tiles_order() -> None:
    narrow, wide = Tile(tissue(200, 200), 1.0), Tile(tissue(), 1.0)
    scores = Screener(Reader()).score([wide, narrow, wide])
    assert [score.windows is None for score in scores] == [False, True, False]


def test_it_is_read_a_few_windows_a_step() -> None:
    engine = Reader()
    steps = Screener(engine).score_in_steps(Tile(tissue(), 1.0))
    next(steps)
    assert engine.batch_sizes == [AT_ONCE]


@pytest.fixture(scope="module")
def builtin() -> Iterator[Screener]:
    engine = BuiltinEngine()
    yield Screener(engine, calibration.load_calibration(SHIPPED, engine.info))
    engine.close()


def patches(folder: Path, *labels: str) -> Iterator[NDArray[np.uint8]]:
    """Tiles of these classes, a case each, enlarged to a fifteenth of the field."""
    with (folder / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in labels]
    for row in {row["case_id"]: row for row in rows}.values():
        with Image.open(folder / row["path"]) as image:
            yield np.asarray(image.convert("RGB").resize((ACROSS, DOWN)))


def benign_field(folder: Path) -> NDArray[np.uint8]:
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    found = patches(folder, "polyp", "normal")
    for y in range(0, HEIGHT, DOWN):
        for x in range(0, WIDTH, ACROSS):
            pixels[y : y + DOWN, x : x + ACROSS] = next(found)
    return pixels


def test_one_malignant_patch_in_fifteen_is_not_answered_no(
    builtin: Screener, data_dir: Path
) -> None:
    folder = data_dir / "ebhi-seg"
    pixels = benign_field(folder)
    x, y = 2 * ACROSS, DOWN
    pixels[y : y + DOWN, x : x + ACROSS] = next(patches(folder, "adenocarcinoma"))
    (screening,) = builtin.screen([Tile(pixels)])
    assert screening.verdict.answer is Answer.YES
    assert screening.windows is not None
    best = max(screening.windows, key=lambda window: window.probability)
    middle = best.x + best.width / 2, best.y + best.height / 2
    assert x < middle[0] < x + ACROSS
    assert y < middle[1] < y + DOWN
    assert best.verdict is Answer.YES
    assert RULE in (screening.headline_rule or "")
    assert "These are of the window at x " in screening.explanation


def test_benign_patches_alone_are_not_answered_yes(builtin: Screener, data_dir: Path) -> None:
    (screening,) = builtin.screen([Tile(benign_field(data_dir / "ebhi-seg"))])
    assert screening.verdict.answer is not Answer.YES
    assert screening.verdict.calibrated is False
    assert [warning.code for warning in screening.warnings] == ["wide_field"]


@pytest.mark.parametrize("size", [(150, 150), (224, 224), (775, 522), (768, 768), (1024, 1024)])
def test_ordinary_tiles_keep_their_answers(
    builtin: Screener, data_dir: Path, size: tuple[int, int]
) -> None:
    with Image.open(data_dir / "ebhi-seg" / "adenocarcinoma" / "GT2001837-1-400-001.jpg") as image:
        tile = Tile(np.asarray(image.convert("RGB").resize(size)))
    score = builtin.score([tile])[0]
    assert score.margin == pytest.approx(builtin.engine.score([tile])[0].margin, abs=1e-5)
    assert (score.warnings, score.windows, score.verdict.calibrated) == ((), None, True)
