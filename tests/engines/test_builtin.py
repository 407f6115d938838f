"""The shipped classifier: its files, its scores on real tiles, its explanation."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.engines.base import Answer, Engine, Finding
from healer.engines.builtin.engine import (
    CARD,
    MODEL_FOLDER,
    MOST_WINDOWS,
    NETWORK,
    BuiltinEngine,
    compose_sentence,
    read_model_files,
    short_name,
    square_windows,
)
from healer.engines.builtin.session import FEATURES, SCORES, Outputs, Pixels
from healer.errors import ModelAltered, ModelIncomplete, ModelUnsound
from healer.images.tile import Tile
from healer.questions.colorectal import ADENOCARCINOMA, COLORECTAL_CANCER, HIGH_GRADE_SHARE

HUMAN_NAMES = {
    "adenocarcinoma",
    "high-grade intraepithelial neoplasia",
    "low-grade intraepithelial neoplasia",
    "serrated adenoma",
    "non-neoplastic polyp",
    "normal mucosa",
    "stroma or muscle",
    "inflammation",
    "debris or mucus",
    "fat",
    "empty glass",
}


@pytest.fixture(scope="module")
def engine() -> BuiltinEngine:
    return BuiltinEngine(threads=1)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (NETWORK, CARD):
        shutil.copy(MODEL_FOLDER / name, tmp_path / name)
    return tmp_path


def noise(height: int, width: int, seed: int = 0) -> Tile:
    rng = np.random.default_rng(seed)
    return Tile(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def load(path: Path) -> Tile:
    with Image.open(path) as image:
        return Tile(np.asarray(image.convert("RGB")))


def test_it_is_an_engine_that_says_which(engine: BuiltinEngine) -> None:
    assert isinstance(engine, Engine)
    assert engine.info.engine == "builtin"
    assert engine.info.model_id == "healer/builtin-crc"
    assert read_model_files().sha256.startswith(engine.info.revision)


def test_the_network_is_at_most_12_megabytes() -> None:
    assert (MODEL_FOLDER / NETWORK).stat().st_size <= 12_000_000


def test_the_card_names_the_data_licence() -> None:
    card = json.loads((MODEL_FOLDER / CARD).read_text(encoding="utf-8"))
    assert "CC BY 4.0" in card["data"]
    assert set(card["classes"]) == HUMAN_NAMES


def test_findings_are_every_class_sorted_and_sum_to_one(engine: BuiltinEngine) -> None:
    (evidence,) = engine.score([noise(224, 224)])
    shares = [finding.probability for finding in evidence.findings]
    assert {finding.name for finding in evidence.findings} == HUMAN_NAMES
    assert shares == sorted(shares, reverse=True)
    assert math.isclose(sum(shares), 1, abs_tol=1e-6)


def test_the_margin_counts_a_share_of_high_grade_neoplasia(engine: BuiltinEngine) -> None:
    (evidence,) = engine.score([noise(150, 150)])
    shares = {each.name: each.probability for each in evidence.findings}
    high_grade = shares["high-grade intraepithelial neoplasia"]
    cancer = shares[ADENOCARCINOMA] + HIGH_GRADE_SHARE * high_grade
    assert math.isclose(evidence.margin, math.log(cancer / (1 - cancer)), abs_tol=1e-4)


def test_a_tile_scores_the_same_alone_and_in_any_batch(engine: BuiltinEngine) -> None:
    shapes = [(224, 224), (150, 150), (300, 700), (64, 64), (768, 768)] * 5
    tiles = [noise(*shape, seed=at) for at, shape in enumerate(shapes)]
    together = [evidence.margin for evidence in engine.score(tiles)]
    alone = [engine.score([tile])[0].margin for tile in tiles]
    assert np.allclose(together, alone, atol=1e-4)


def test_no_tiles_give_no_evidence(engine: BuiltinEngine) -> None:
    assert list(engine.score([])) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3000, 40)])
def test_odd_shapes_are_scored(engine: BuiltinEngine, shape: tuple[int, int]) -> None:
    assert math.isfinite(engine.score([noise(*shape)])[0].margin)


@pytest.mark.parametrize("value", [0, 255])
def test_a_flat_tile_is_scored_and_not_called_cancer(engine: BuiltinEngine, value: int) -> None:
    (evidence,) = engine.score([Tile(np.full((224, 224, 3), value, np.uint8))])
    assert evidence.margin < 0


def test_training_tiles_get_their_answer(engine: BuiltinEngine, data_dir: Path) -> None:
    """A sanity check, not a measurement: the network has seen most of these."""
    folder = data_dir / "ebhi-seg"
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::40]
    expected = [row for row in rows if row["label"] in ("adenocarcinoma", "normal", "polyp")]
    margins = [
        each.margin for each in engine.score([load(folder / row["path"]) for row in expected])
    ]
    right = [
        (found > 0) == (row["label"] == "adenocarcinoma")
        for found, row in zip(margins, expected, strict=True)
    ]
    assert len(right) >= 20
    assert np.mean(right) >= 0.9


def test_a_changed_network_is_refused(copied: Path) -> None:
    network = copied / NETWORK
    network.write_bytes(network.read_bytes()[:-1] + b"\0")
    with pytest.raises(ModelAltered, match=r"model\.onnx"):
        BuiltinEngine(threads=1, folder=copied)


def test_another_preprocessing_is_refused(copied: Path) -> None:
    card = json.loads((copied / CARD).read_text(encoding="utf-8"))
    (copied / CARD).write_text(json.dumps(card | {"preprocessing": "v0"}), encoding="utf-8")
    with pytest.raises(ModelAltered, match="preprocessing"):
        BuiltinEngine(threads=1, folder=copied)


@pytest.mark.parametrize("name", [NETWORK, CARD])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ModelIncomplete, match=name):
        BuiltinEngine(threads=1, folder=copied)


def test_windows_cover_a_long_tile() -> None:
    pixels = noise(100, 250).pixels
    found = square_windows(pixels)
    assert [window.shape for window in found] == [(100, 100, 3)] * 3
    assert (found[0] == pixels[:, :100]).all()
    assert (found[-1] == pixels[:, -100:]).all()


def test_an_absurdly_long_tile_is_sampled() -> None:
    found = square_windows(np.zeros((2, 5000, 3), np.uint8))
    assert len(found) == MOST_WINDOWS


def shares(cancer: float, leading: str) -> list[Finding]:
    rest = (1 - cancer) * 0.9
    found = [
        Finding(ADENOCARCINOMA, cancer),
        Finding(leading, rest),
        Finding("normal mucosa", 1 - cancer - rest),
    ]
    return sorted(found, key=lambda finding: -finding.probability)


@pytest.mark.parametrize("cancer", [0.001, 0.3, 0.5, 0.93, 0.999])
@pytest.mark.parametrize("answer", list(Answer))
def test_the_sentence_agrees_with_the_answer(answer: Answer, cancer: float) -> None:
    text = "".join(compose_sentence(shares(cancer, "inflammation"), answer, COLORECTAL_CANCER))
    assert text.startswith(COLORECTAL_CANCER.sentences[answer])
    assert len(set(COLORECTAL_CANCER.sentences.values())) == 3
    assert text.count(".") == 2


def test_the_explanation_names_the_likeliest_classes() -> None:
    found = [
        Finding("high-grade intraepithelial neoplasia", 0.554),
        Finding("adenocarcinoma", 0.413),
        Finding("normal mucosa", 0.033),
    ]
    assert "".join(compose_sentence(found, Answer.YES, COLORECTAL_CANCER)) == (
        "Read as cancer. Most likely classes: high-grade neoplasia 55 %, adenocarcinoma 41 %."
    )


def test_the_engine_explains_its_own_evidence(engine: BuiltinEngine) -> None:
    (evidence,) = engine.score([noise(224, 224)])
    pieces = list(engine.explain(evidence, Answer.NO))
    assert len(pieces) > 1
    assert short_name(evidence.findings[0]) in "".join(pieces)


def test_a_network_that_gives_no_numbers_is_unsound() -> None:
    broken = BuiltinEngine(threads=1)
    broken._session = Unsound()
    with pytest.raises(ModelUnsound, match="finite"):
        broken.score([noise(64, 64)])


class Unsound:
    """Stands for a network whose weights have gone bad."""

    outputs = (SCORES, FEATURES)
    together = 1

    def run(self, squares: Sequence[Pixels]) -> Outputs:
        scores = np.full((len(squares), len(HUMAN_NAMES)), np.nan, np.float32)
        return {SCORES: scores, FEATURES: np.zeros((len(scores), 4, 240), np.float32)}
