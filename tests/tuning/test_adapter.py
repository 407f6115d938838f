from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from healer.engines.base import Answer
from healer.engines.vlm.adapter import ADAPTER_FILE, CONFIG, WEIGHTS, read_adapter
from healer.errors import AdapterIncomplete, AdapterMismatch
from healer.evaluation.datasets import Dataset
from healer.screening.calibration import CALIBRATION_FILE as CALIBRATION
from healer.screening.calibration import Binding, Calibration, Fitted
from healer.screening.opening import choose_engine, open_screener
from healer.settings.loading import load_settings
from healer.tuning.data import split
from healer.tuning.train import Step
from healer.weights.manifest import read_manifest, save_manifest
from tests.gemma import write_manifest
from tests.tuning.conftest import LIMITS, RECIPE, engine_of, margins_of

Finished = tuple[Path, list[Step]]


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0] / "adapter", tmp_path / "adapter"))


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "8bit"])
def test_served_answers_move_to_the_truth(
    base: Path, tiles: Dataset, finished: Finished, quantization: str
) -> None:
    unseen = split(tiles, RECIPE).validation
    truth = [item.positive for item in unseen.items]
    before, after = (
        engine_of(base, folder, "bfloat16", quantization)
        for folder in (None, finished[0] / "adapter")
    )
    assert all(margin > 0 for margin in margins_of(before, unseen)), "yes to everything"
    assert [margin > 0 for margin in margins_of(after, unseen)] == truth


def test_the_engine_names_its_adapter(base: Path, finished: Finished) -> None:
    made = read_adapter(finished[0] / "adapter")
    engine = engine_of(base, finished[0] / "adapter")
    assert engine.info.adapter == made.id
    assert len(made.id) == 12
    assert engine_of(base).info.adapter is None
    assert (made.tiles, made.cases, made.dataset) == (60, 10, "synthetic")


def test_an_adapted_engine_still_explains(base: Path, tiles: Dataset, finished: Finished) -> None:
    engine = engine_of(base, finished[0] / "adapter")
    tile = tiles.source.tile(tiles.items[1].path, LIMITS)
    sentence = "".join(engine.explain(engine.score([tile])[0], Answer.NO))
    assert sentence.endswith(".")
    assert not sentence.startswith("Yes")


@pytest.mark.parametrize("name", [ADAPTER_FILE, WEIGHTS, CONFIG])
def test_a_folder_that_lacks_a_file_is_incomplete(base: Path, copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(AdapterIncomplete, match=name):
        engine_of(base, copied)


def test_a_manifest_of_one_file_is_damaged(base: Path, copied: Path) -> None:
    written = json.loads((copied / ADAPTER_FILE).read_text())
    written["files"] = written["files"][:1]
    (copied / ADAPTER_FILE).write_text(json.dumps(written))
    with pytest.raises(AdapterIncomplete, match="is damaged"):
        engine_of(base, copied)


def test_an_altered_adapter_is_refused(base: Path, copied: Path) -> None:
    weights = bytearray((copied / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (copied / WEIGHTS).write_bytes(weights)
    with pytest.raises(AdapterIncomplete, match="is not the file that was trained"):
        engine_of(base, copied)


def test_a_damaged_manifest_is_reported(base: Path, copied: Path) -> None:
    (copied / ADAPTER_FILE).write_text("{}")
    with pytest.raises(AdapterIncomplete, match="damaged"):
        engine_of(base, copied)


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("model_id", "someone/else", "model"),
        ("revision", "1" * 40, "revision"),
        ("adapter", "abc", "merged adapter"),
    ],
)
def test_an_adapter_of_another_model_is_refused(
    base: Path, copied: Path, tmp_path: Path, field: str, value: str, part: str
) -> None:
    other = Path(shutil.copytree(base, tmp_path / "other"))
    write_manifest(other)
    save_manifest(other, read_manifest(other).model_copy(update={field: value}))
    with pytest.raises(AdapterMismatch) as caught:
        engine_of(other, copied)
    assert caught.value.part == part
    assert caught.value.serving == value


def test_the_settings_serve_it_with_its_own_calibration(
    base: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(base))
    monkeypatch.setenv("MODEL_ADAPTER", str(copied))
    monkeypatch.setenv("HEALER_QUANTIZATION", "none")
    monkeypatch.setenv("HEALER_DEVICE", "cpu")
    info = engine_of(base, copied, "bfloat16").info
    fitted = Calibration(
        binding=Binding.of(info),
        slope=1,
        intercept=0,
        lower=0.4,
        upper=0.6,
        fitted_on=Fitted(dataset="synthetic", tiles=12, positives=6, cases=2),
    )
    (copied / CALIBRATION).write_text(fitted.model_dump_json())
    settings = load_settings()
    screener = open_screener(choose_engine(settings), settings)
    assert screener.info == info
    assert screener.calibration == fitted
