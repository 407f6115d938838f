from __future__ import annotations

import json
from pathlib import Path

import pytest

from healer.engines.vlm.adapter import read_adapter
from healer.errors import AdapterMismatch, FolderTaken
from healer.evaluation.datasets import Dataset
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.tuning.lora import merge_adapter
from healer.tuning.train import Step
from healer.weights.manifest import check_folder
from tests.gemma import MODEL_ID, REVISION
from tests.tuning.conftest import engine_of, margins_of

Finished = tuple[Path, list[Step]]
TOLERANCE = 0.1  # a sum rounded to bfloat16 is not two terms rounded apart


@pytest.fixture(scope="module")
def merged(base: Path, finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merged")
    merge_adapter(base, finished[0] / "adapter", out, COLORECTAL_CANCER)
    return out


def test_margins_are_those_of_base_and_adapter(
    base: Path, tiles: Dataset, finished: Finished, merged: Path
) -> None:
    apart = margins_of(engine_of(base, finished[0] / "adapter"), tiles)
    assert margins_of(engine_of(merged), tiles) == pytest.approx(apart, abs=TOLERANCE)
    alone = margins_of(engine_of(base), tiles)
    assert max(abs(one - other) for one, other in zip(alone, apart, strict=True)) > 5


def test_a_merged_model_is_a_finished_download_that_says_what_it_is(
    base: Path, finished: Finished, merged: Path
) -> None:
    found = check_folder(merged, deep=True)
    tuned = read_adapter(finished[0] / "adapter")
    assert (found.model_id, found.revision, found.adapter) == (MODEL_ID, REVISION, tuned.id)
    assert engine_of(merged).info.adapter == f"merged-{tuned.id}"
    assert {file.name for file in found.files} >= {"config.json", "tokenizer.json"}
    assert (merged / "config.json").read_bytes() == (base / "config.json").read_bytes()
    assert all(file.stat().st_mode & 0o044 for file in merged.iterdir())


def test_weights_keep_the_hubs_names_and_dtype(base: Path, merged: Path) -> None:
    from safetensors import safe_open

    def described(folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
        found = {}
        for file in folder.glob("*.safetensors"):
            with safe_open(file, framework="pt") as held:
                for name in held.keys():  # noqa: SIM118 - not a dict
                    part = held.get_slice(name)
                    found[name] = (part.get_dtype(), tuple(part.get_shape()))
        return found

    assert described(merged) == described(base)
    index = merged / "model.safetensors.index.json"
    if index.exists():
        assert set(json.loads(index.read_text(encoding="utf-8"))["weight_map"]) == set(
            described(merged)
        )


def test_an_adapter_is_not_applied_twice(finished: Finished, merged: Path) -> None:
    with pytest.raises(AdapterMismatch, match="merged adapter"):
        engine_of(merged, finished[0] / "adapter")


def test_a_folder_with_something_in_it_is_refused(base: Path, finished: Finished) -> None:
    with pytest.raises(FolderTaken, match="not empty"):
        merge_adapter(base, finished[0] / "adapter", finished[0], COLORECTAL_CANCER)
