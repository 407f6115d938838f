from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.engines.base import Answer, EngineInfo, Evidence
from healer.errors import CalibrationMismatch, CalibrationUnreadable
from healer.files.disk import save_record
from healer.screening import calibration
from healer.screening.calibration import Binding, Calibration, Fitted
from healer.screening.opening import find_calibration
from healer.screening.verdict import decide
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine

INFO = dataclasses.replace(FakeEngine.info, engine="medgemma")
SAMPLE = Calibration(
    binding=Binding.of(INFO),
    slope=0.5,
    intercept=-1.0,
    lower=0.3,
    upper=0.7,
    fitted_on=Fitted(dataset="made up", tiles=20, positives=9, cases=7),
)


def saved(folder: Path, sample: Calibration = SAMPLE) -> Path:
    path = folder / calibration.CALIBRATION_FILE
    save_record(path, sample)  # in one step: a service may be looking for it
    return path


def test_a_margin_is_scaled_then_judged_at_two_points() -> None:
    verdict = decide(Evidence(2.0), SAMPLE)
    assert verdict.calibrated
    assert verdict.probability == 0.5
    assert verdict.answer is Answer.INDETERMINATE
    assert verdict.reason == (
        "50 % falls between 30 % and 70 %: in that range the model was wrong too often in "
        "testing to answer yes or no."
    )


@given(st.floats(-50, 50))
def test_between_the_points_is_indeterminate_and_nowhere_else(margin: float) -> None:
    verdict = decide(Evidence(margin), SAMPLE)
    if verdict.probability >= SAMPLE.upper:
        assert verdict.answer is Answer.YES
    elif verdict.probability <= SAMPLE.lower:
        assert verdict.answer is Answer.NO
    else:
        assert verdict.answer is Answer.INDETERMINATE
    assert (verdict.reason is None) == (verdict.answer is not Answer.INDETERMINATE)


def test_one_point_leaves_nothing_indeterminate() -> None:
    one = SAMPLE.model_copy(update={"lower": 0.5, "upper": 0.5})
    assert decide(Evidence(2.0), one).answer is Answer.YES
    assert decide(Evidence(1.99), one).answer is Answer.NO


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    assert calibration.load_calibration(saved(tmp_path), INFO) == SAMPLE


def test_its_id_changes_with_anything_in_it() -> None:
    assert SAMPLE.id == SAMPLE.model_copy().id
    assert SAMPLE.id != SAMPLE.model_copy(update={"slope": 0.6}).id


@pytest.mark.parametrize("part", list(Binding.model_fields))
def test_a_calibration_for_anything_else_is_refused_with_the_part_named(
    tmp_path: Path, part: str
) -> None:
    fields = {**dataclasses.asdict(INFO), part: "other"}
    served = EngineInfo(**fields)
    with pytest.raises(CalibrationMismatch, match=f"was fitted for {part} ") as caught:
        calibration.load_calibration(saved(tmp_path), served)
    assert caught.value.serving == "other"


def test_the_device_does_not_bind(tmp_path: Path) -> None:
    assert (
        calibration.load_calibration(saved(tmp_path), dataclasses.replace(INFO, device="cuda"))
        == SAMPLE
    )


@pytest.mark.parametrize(
    "text", ["", "{}", SAMPLE.model_dump_json().replace("0.7", "0.2"), '{"slope": "steep"}']
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / calibration.CALIBRATION_FILE).write_text(text)
    with pytest.raises(CalibrationUnreadable, match=calibration.CALIBRATION_FILE):
        calibration.load_calibration(tmp_path / calibration.CALIBRATION_FILE, INFO)


def test_auto_takes_what_lies_with_the_model(tmp_path: Path) -> None:
    settings = Settings(model_dir=tmp_path)
    assert find_calibration(settings, INFO) == (None, ())
    saved(tmp_path)
    assert find_calibration(settings, INFO) == (SAMPLE, ())
    assert find_calibration(Settings(model_dir=tmp_path, calibration="off"), INFO) == (None, ())


def test_auto_goes_on_uncalibrated_with_a_warning_where_it_does_not_fit(tmp_path: Path) -> None:
    saved(tmp_path)
    served = dataclasses.replace(INFO, quantization="8bit")
    found, warnings = find_calibration(Settings(model_dir=tmp_path), served)
    assert found is None
    assert "was fitted for quantization none, and 8bit is being served" in warnings[0]


def test_one_named_by_the_operator_must_fit(tmp_path: Path) -> None:
    settings = Settings(calibration=str(saved(tmp_path)))
    assert find_calibration(settings, INFO) == (SAMPLE, ())
    with pytest.raises(CalibrationMismatch):
        find_calibration(settings, dataclasses.replace(INFO, prompt_id="reworded"))
    with pytest.raises(CalibrationUnreadable, match="No such file"):
        find_calibration(Settings(calibration="absent.json"), INFO)
