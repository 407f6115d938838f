from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from healer.images.tile import Tile
from healer.quality.gate import DETAIL, FRAME, HISTOLOGY, STAIN, TISSUE, Gate, GateReport
from tests.quality.pictures import (
    blurred,
    brown,
    chequered,
    document,
    flat,
    fluorescent,
    gradient,
    noisy,
    opened,
    pen,
    purple_noise,
    radiograph,
    screen,
    white_noise,
)

CODES = {check.code for check in (*FRAME, TISSUE, *DETAIL, HISTOLOGY, STAIN)}
NOT_HISTOLOGY: dict[str, Callable[[], Tile]] = {
    "document": document,
    "screen": screen,
    "radiograph": radiograph,
    "white noise": white_noise,
    "purple noise": purple_noise,
    "chequered": chequered,
    "gradient": gradient,
    "fluorescence": fluorescent,
    "white": lambda: flat((255, 255, 255)),
    "black": lambda: flat((0, 0, 0)),
    "pink": lambda: flat((225, 150, 195)),
    "black pen": lambda: pen("#141414"),
    "blue pen": lambda: pen("#1428b4"),
    "green pen": lambda: pen("#0a783c"),
    "red pen": lambda: pen("#c81428"),
    "purple pen": lambda: pen("#821e8c"),
}


def codes(report: GateReport) -> set[str]:
    return {reason.code for reason in report.reasons}


@pytest.fixture(scope="module")
def tissue(samples: list[Path]) -> dict[str, np.ndarray]:
    """The samples that show tissue, by file name."""
    glass = ("BACK", "empty")
    return {p.stem: opened(p) for p in samples if not any(g in p.stem for g in glass)}


@pytest.mark.parametrize("name", NOT_HISTOLOGY)
def test_what_is_no_histology_is_refused(gate: Gate, name: str) -> None:
    assert not gate.assess(NOT_HISTOLOGY[name]()).passed


def test_an_even_colour_is_refused_for_want_of_tissue(gate: Gate) -> None:
    assert codes(gate.assess(flat((240, 240, 242)))) == {"no_tissue"}


def test_photographs_are_refused(gate: Gate) -> None:
    library = importlib.util.find_spec("sklearn")  # it ships them; importing it takes seconds
    if library is None or library.origin is None:
        pytest.skip("scikit-learn ships the photographs")
    photographs = sorted((Path(library.origin).parent / "datasets" / "images").glob("*.jpg"))
    assert len(photographs) == 2
    for photograph in photographs:
        assert codes(gate.assess(Tile(opened(photograph)))) & {"not_histology", "not_he_stained"}


def test_every_sample_of_tissue_passes(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    assert len(tissue) == 30
    assert not [name for name, pixels in tissue.items() if not gate.assess(Tile(pixels)).passed]


def test_bare_glass_is_refused_as_such(gate: Gate, samples: list[Path]) -> None:
    glass = [p for p in samples if "BACK" in p.stem or "empty" in p.stem]
    assert len(glass) == 4
    for path in glass:
        assert codes(gate.assess(Tile(opened(path)))) == {"no_tissue"}


def test_at_most_one_in_a_hundred_real_tiles_is_refused(gate: Gate, data_dir: Path) -> None:
    """Every ninth; `python -m training.gate measure` checks all of them."""
    tiles = sorted((data_dir / "ebhi-seg").glob("*/*.jpg"))[::9]
    refused = [p.name for p in tiles if not gate.assess(Tile(opened(p))).passed]
    assert len(tiles) > 200
    assert len(refused) <= len(tiles) * 0.01, refused


def test_another_stain_is_named(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    reports = [gate.assess(brown(p)) for n, p in tissue.items() if "adipose" not in n]
    named = [report for report in reports if "not_he_stained" in codes(report)]
    assert len(named) >= 0.9 * len(reports)


def test_grey_tiles_are_refused(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    for name, pixels in tissue.items():
        grey = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))
        assert not gate.assess(Tile(grey)).passed, name


def test_negatives_are_refused(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    """All but that of nearly bare mucus, which is an even dark field with hardly a hue."""
    passed = {name for name, pixels in tissue.items() if gate.assess(Tile(255 - pixels)).passed}
    assert passed <= {"nct-MUC-AAQTMGMA"}


def test_blur_has_its_own_reason(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    reports = [gate.assess(blurred(pixels, 6)) for pixels in tissue.values()]
    named = [report for report in reports if "too_blurred" in codes(report)]
    assert len(named) >= 0.9 * len(reports)


def test_blur_of_a_large_picture_is_judged_in_its_own_pixels(
    gate: Gate, tissue: dict[str, np.ndarray]
) -> None:
    pixels = tissue["nct-TUM-AACHEHDV"]
    large = np.asarray(Image.fromarray(pixels).resize((768, 768), Image.Resampling.BICUBIC))
    assert gate.assess(Tile(large)).passed
    figures = gate.assess(blurred(large, 9)).figures
    assert figures["native_detail"] < 0.27 < figures["detail"]


def test_noise_is_refused_and_mostly_named(gate: Gate, tissue: dict[str, np.ndarray]) -> None:
    reports = [gate.assess(noisy(pixels, 80)) for pixels in tissue.values()]
    assert not any(report.passed for report in reports)
    named = [report for report in reports if "too_noisy" in codes(report)]
    assert len(named) >= 0.8 * len(reports)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 900), (1, 5000), (40, 40)])
def test_too_small_is_refused_without_further_checks(gate: Gate, height: int, width: int) -> None:
    report = gate.assess(Tile(np.zeros((height, width, 3), np.uint8)))
    assert "too_small" in codes(report)
    assert set(report.figures) == {"shorter_side", "aspect"}


def test_a_strip_is_refused(gate: Gate) -> None:
    assert codes(gate.assess(Tile(np.zeros((100, 900, 3), np.uint8)))) == {"too_elongated"}


def test_each_reason_gives_figure_threshold_and_a_sentence_that_quotes_them(gate: Gate) -> None:
    for picture in NOT_HISTOLOGY.values():
        report = gate.assess(picture())
        for reason in report.reasons:
            assert reason.code in CODES
            assert "{" not in reason.sentence
            assert reason.sentence.endswith(".")
            assert reason.measured in report.figures.values()
            assert reason.measured != reason.threshold


def test_the_same_tile_gives_the_same_figures(gate: Gate) -> None:
    assert gate.assess(screen()) == Gate().assess(screen())


GATE = Gate()  # hypothesis takes no fixture


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    seed=st.integers(0, 99),
    spread=st.sampled_from([0, 1, 30, 255]),
)
def test_any_tile_gives_a_report(height: int, width: int, seed: int, spread: int) -> None:
    random = np.random.default_rng(seed)
    base = random.integers(0, 256, 3)
    pixels = base + random.integers(-spread, spread + 1, (height, width, 3))
    report = GATE.assess(Tile(pixels.clip(0, 255).astype(np.uint8)))
    assert all(math.isfinite(figure) for figure in report.figures.values())
    assert report.passed == (not report.reasons)
