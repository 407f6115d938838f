from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from healer import NOTICE
from healer.answer import Thresholds
from healer.cli import app
from healer.errors.engine import CalibrationMismatch
from healer.errors.evaluation import DatasetUnreadable, NotCalibratable, ResultsMismatch
from healer.evaluation.published import LabelMapping
from healer.slides.assessment import AnsweredSlides, answered_slides, fit_slides, measure_slides
from healer.slides.score import (
    SlideThresholds,
    decide_slide,
    load_slide_calibration,
    log_odds,
    read_slide_calibration,
)
from healer.slides.scoring import Coverage

MAPPING = LabelMapping.of(["cancer"], [])
RUN = {"engine": "builtin", "tiles": "224 px", "slide": "h", "mpp": "0.5", "healer": "1"}


def answer(score: float, verdict: str = "indeterminate", **run: str) -> dict[str, object]:
    return {
        "verdict": verdict,
        "probability": score,
        "scores": {"score": score},
        "coverage": {"read_share": 0.98},
        "run": {**RUN, "option seed": "0", **run},
    }


def listed(folder: Path, count: int = 60) -> Path:
    """Every second slide has cancer and a score that is mostly higher; two slides a case."""
    rng = np.random.default_rng(5)
    lines = ["path,label,case_id"]
    for at in range(count):
        cancer = at % 2 == 0
        score = float(np.clip((0.8 if cancer else 0.25) + rng.normal(0, 0.15), 0.001, 0.999))
        verdict = "yes" if score > 0.9 else "no" if score < 0.4 else "indeterminate"
        place = folder / "out" / f"s{at}"
        place.mkdir(parents=True)
        document = answer(score, verdict, slide=f"h{at}", mpp=str(0.25 + at))
        (place / "slide.json").write_text(json.dumps(document), encoding="utf-8")
        lines.append(f"s{at}.svs,{'cancer' if cancer else 'normal'},case{at // 2 // 2}-{at % 2}")
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "list.csv"


def read(source: Path) -> AnsweredSlides:
    return answered_slides(source, source.parent / "out", MAPPING)


def test_slides_are_measured_by_case_with_what_was_ruled_out(tmp_path: Path) -> None:
    slides = read(listed(tmp_path))
    figures = measure_slides(slides, resamples=200)
    auroc = figures.figures["auroc"]
    assert auroc.value is not None
    assert auroc.low is not None
    assert auroc.value > 0.95
    assert auroc.low < auroc.value
    no = slides.scored.answers == "no"
    assert figures.answered_no.value == pytest.approx(no.mean())
    assert figures.missed.value == pytest.approx(no[slides.scored.truth].mean())


def test_a_calibration_holds_its_sensitivity_and_says_what_it_rules_out(tmp_path: Path) -> None:
    slides = read(listed(tmp_path))
    fitted = fit_slides(slides, 0.95, resamples=200)
    held = fitted.calibration
    given = np.array([held.probability(1 / (1 + np.exp(-m))) for m in slides.scored.margins])
    assert (given[slides.scored.truth] > held.lower).mean() >= 0.95
    assert (given[~slides.scored.truth] < held.upper).mean() >= 0.95
    assert fitted.rule_out.value == pytest.approx((given <= held.lower).mean())
    share = fitted.rule_out
    assert share.low is not None
    assert share.value is not None
    assert share.high is not None
    assert share.low <= share.value <= share.high
    assert 0 <= held.figures["left_out_rule_out"] <= 1


def test_a_calibration_makes_the_answer_calibrated_and_sets_its_thresholds(
    tmp_path: Path,
) -> None:
    held = fit_slides(read(listed(tmp_path)), 0.99, resamples=0).calibration
    thresholds = SlideThresholds.of(held, Thresholds(lower=0.3, upper=0.75))
    assert (thresholds.lower, thresholds.upper) == (held.lower, held.upper)
    whole = Coverage(1.0, 1.0, {}, 0.0, 0.0)
    verdict = decide_slide(held.probability(0.999), thresholds, whole, 0.95, calibrated=True)
    assert (str(verdict.answer), verdict.calibrated) == ("yes", True)


def test_a_calibration_of_other_tiles_is_refused_but_one_of_another_slide_is_not(
    tmp_path: Path,
) -> None:
    held = fit_slides(read(listed(tmp_path)), 0.99, resamples=0).calibration
    place = tmp_path / "c.json"
    place.write_text(held.model_dump_json(), encoding="utf-8")
    assert load_slide_calibration(place, {**RUN, "slide": "other", "mpp": "0.25"}) == held
    with pytest.raises(CalibrationMismatch):
        load_slide_calibration(place, {**RUN, "tiles": "512 px"})


def test_slides_read_in_different_ways_are_not_measured_together(tmp_path: Path) -> None:
    source = listed(tmp_path)
    place = tmp_path / "out" / "s3" / "slide.json"
    place.write_text(json.dumps(answer(0.5, tiles="512 px")), encoding="utf-8")
    with pytest.raises(ResultsMismatch, match="tiles"):
        read(source)


def test_what_has_no_answer_is_counted_and_nothing_at_all_is_said(tmp_path: Path) -> None:
    source = listed(tmp_path)
    (tmp_path / "out" / "s3" / "slide.json").unlink()
    assert read(source).unanswered == ("s3",)
    with pytest.raises(ResultsMismatch, match="run healer slide on the list first"):
        answered_slides(source, tmp_path / "elsewhere", MAPPING)


def test_too_few_slides_and_no_labels_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotCalibratable, match="slides that are yes there is 5"):
        fit_slides(read(listed(tmp_path, 10)), 0.99)
    (tmp_path / "bare.csv").write_text("path\ns1.svs\n", encoding="utf-8")
    with pytest.raises(DatasetUnreadable, match="has no label"):
        read(tmp_path / "bare.csv")


def test_a_score_of_nothing_or_all_has_finite_odds() -> None:
    assert -20 < log_odds(0.0) < log_odds(0.5) == 0.0 < log_odds(1.0) < 20


def test_the_commands_write_what_they_print(tmp_path: Path) -> None:
    source = str(listed(tmp_path))
    out = str(tmp_path / "out")
    run = CliRunner().invoke
    done = run(app, ["eval", source, "--slides", out, "--yes", "cancer", "--resamples", "50"])
    assert done.exit_code == 0, done.output
    assert "answered no (ruled out)" in done.output
    results = json.loads((tmp_path / "out" / "slide-results.json").read_text(encoding="utf-8"))
    assert results["notice"] == NOTICE
    assert results["figures"]["auroc"]["value"] > 0.95
    fit = ["calibrate", source, "--slides", out, "--yes", "cancer", "--sensitivity", "0.95"]
    done = run(app, [*fit, "--out", str(tmp_path / "c.json")])
    assert done.exit_code == 0, done.output
    assert "At a sensitivity of 95.0 %" in done.output
    assert read_slide_calibration(tmp_path / "c.json").sensitivity == 0.95
