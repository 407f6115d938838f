"""A second real question through the same engine and screener: is dysplasia or cancer present?"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from healer.answer import Prediction
from healer.audit.records import answer_record
from healer.engines.base import Answer, Evidence
from healer.engines.builtin.engine import BuiltinEngine
from healer.errors import CalibrationMismatch
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.questions.base import Question
from healer.questions.colorectal import (
    ADENOCARCINOMA,
    COLORECTAL_CANCER,
    DYSPLASIA_OR_CANCER,
    HIGH_GRADE,
    LOW_GRADE,
    SERRATED,
)
from healer.screening.calibration import load_calibration
from healer.screening.opening import SHIPPED, EngineChoice, find_calibration, open_screener
from healer.screening.screener import Screener, known_tile
from healer.settings.loading import Settings

TILES = [
    known_tile(),
    Tile(np.random.default_rng(5).integers(0, 256, (224, 224, 3), np.uint8)),
]


def screener_for(question: Question) -> Screener:
    engine = BuiltinEngine(threads=1, question=question)
    calibration, _ = find_calibration(Settings(), engine.info)
    return Screener(engine, calibration, question=question)


@pytest.fixture(scope="module")
def cancer() -> Screener:
    return screener_for(COLORECTAL_CANCER)


@pytest.fixture(scope="module")
def dysplasia() -> Screener:
    return screener_for(DYSPLASIA_OR_CANCER)


def log_odds(evidence: Evidence, *names: str) -> float:
    share = sum(each.probability for each in evidence.findings if each.name in names)
    return math.log(share / (1 - share))


def test_each_question_has_its_own_margin_of_the_same_findings(
    cancer: Screener, dysplasia: Screener
) -> None:
    scores = zip(cancer.score(TILES), dysplasia.score(TILES), strict=True)
    for of_cancer, of_dysplasia in scores:
        assert of_cancer.evidence.findings == of_dysplasia.evidence.findings
        expected = log_odds(of_dysplasia.evidence, ADENOCARCINOMA, HIGH_GRADE, LOW_GRADE, SERRATED)
        assert of_dysplasia.margin == pytest.approx(expected, abs=1e-4)
        assert of_dysplasia.margin > of_cancer.margin


def test_the_answer_is_worded_and_identified_by_its_question(dysplasia: Screener) -> None:
    loaded = LoadedTile(TILES[0], None, {})
    (screening,) = dysplasia.screen([loaded.tile])
    answer = Prediction.finished(dysplasia, screening, loaded, "r1", {})
    record = answer_record(
        dysplasia, loaded, screening, file_sha256="0" * 64, request_id="r1", caller=None
    )
    assert answer.question == record.question == record.prompt_id == "dysplasia-or-cancer-1"
    assert answer.explanation.startswith(DYSPLASIA_OR_CANCER.sentences[answer.verdict])
    assert "count towards dysplasia or cancer" in str(answer.headline_rule)
    assert answer.second_answer is None


def test_the_first_question_is_still_calibrated_and_followed_up(cancer: Screener) -> None:
    (screening,) = cancer.screen([TILES[0]])
    # What is drawn is unlike the training tiles, and nothing else speaks against it.
    assert cancer.calibration is not None
    assert [warning.code for warning in screening.warnings] == ["unlike_training"]
    assert screening.second is not None
    assert screening.second.question == DYSPLASIA_OR_CANCER.id


def test_a_calibration_for_one_question_is_refused_for_another(dysplasia: Screener) -> None:
    with pytest.raises(CalibrationMismatch):
        load_calibration(SHIPPED, dysplasia.info)
    assert dysplasia.calibration is None
    _, warnings = find_calibration(Settings(), dysplasia.info)
    assert warnings[0].startswith("not calibrated: ")


def test_only_the_question_is_part_of_why_it_is_refused(cancer: Screener, tmp_path: Path) -> None:
    content = json.loads(SHIPPED.read_text(encoding="utf-8"))
    content["binding"]["prompt_id"] = DYSPLASIA_OR_CANCER.id
    other = tmp_path / "calibration.json"
    other.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CalibrationMismatch, match="dysplasia-or-cancer-1") as refused:
        load_calibration(other, cancer.info)
    assert refused.value.part == "prompt_id"


def test_a_calibration_of_a_version_that_knew_one_question_still_fits(
    cancer: Screener, tmp_path: Path
) -> None:
    content = json.loads(SHIPPED.read_text(encoding="utf-8"))
    content["binding"]["prompt_id"] = "none"
    earlier = tmp_path / "calibration.json"
    earlier.write_text(json.dumps(content), encoding="utf-8")
    assert load_calibration(earlier, cancer.info) == cancer.calibration


def test_a_screener_is_opened_for_a_question() -> None:
    choice = EngineChoice("builtin", "a test")
    opened = open_screener(choice, Settings(threads=1), question=DYSPLASIA_OR_CANCER)
    assert opened.info.prompt_id == opened.question.id == "dysplasia-or-cancer-1"
    assert opened.score([TILES[0]])[0].verdict.answer in set(Answer)
    opened.engine.close()
