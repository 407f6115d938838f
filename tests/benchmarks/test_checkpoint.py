from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.checkpoint.tokenizer import question_of
from benchmarks.checkpoint.weights import parameters
from benchmarks.errors import CheckpointDiskFull, CheckpointFolderTaken
from healer.errors import ModelIncomplete
from healer.weights.manifest import MANIFEST_FILE, check_folder, read_manifest

TINY = Recipe(SHAPES["tiny"])
HEADER = 20_000  # bytes that a shard takes besides its weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: shared by all tests."""
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tiny")
    make_checkpoint(folder, TINY)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: file.sha256 for file in check_folder(folder, deep=True).files}


def test_medgemmas_size_is_the_published_one() -> None:
    found = parameters(SHAPES["medgemma-4b"])
    assert sum(found.values()) == 4_300_079_472
    assert len(found) == 883


def test_the_same_seed_makes_the_same_files(made: Path, tmp_path: Path) -> None:
    make_checkpoint(tmp_path, TINY)
    assert hashes(tmp_path) == hashes(made)


def test_another_seed_makes_other_weights(made: Path, tmp_path: Path) -> None:
    found = make_checkpoint(tmp_path, replace(TINY, seed=1))
    assert found.model_id == "healer/random-tiny-seed-1"
    same = {name for name, sha in hashes(tmp_path).items() if hashes(made).get(name) == sha}
    assert "tokenizer.json" in same
    assert not any(name.endswith(".safetensors") for name in same)


def test_a_finished_one_is_used_as_it_is(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    before = read_manifest(folder).created
    assert make_checkpoint(folder, TINY).created == before


def test_one_that_was_broken_off_is_written_again(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    (folder / MANIFEST_FILE).unlink()
    next(folder.glob("*.safetensors")).write_bytes(b"half")
    with pytest.raises(ModelIncomplete):
        check_folder(folder)
    make_checkpoint(folder, TINY)
    assert hashes(folder) == hashes(made)


def test_another_models_folder_is_left_alone(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointFolderTaken):
        make_checkpoint(made, replace(TINY, seed=5))
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointFolderTaken):
        make_checkpoint(tmp_path, TINY)


def test_too_small_a_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(8_000_000_000))
    with pytest.raises(CheckpointDiskFull) as refused:
        make_checkpoint(tmp_path, Recipe(SHAPES["medgemma-4b"]))
    assert refused.value.needed_bytes > 8_600_000_000
    assert not list(tmp_path.iterdir())


def test_the_weights_are_random_in_bfloat16_and_in_shards_no_larger_than_set(made: Path) -> None:
    load_file = pytest.importorskip("safetensors.torch").load_file
    shards = list(made.glob("*.safetensors"))
    assert len(shards) > 1
    assert max(shard.stat().st_size for shard in shards) <= SHAPES["tiny"].shard_bytes + HEADER
    weights: dict[str, Any] = {}
    for file in shards:
        weights |= load_file(file)
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.bfloat16"}
    queries = weights["language_model.model.layers.0.self_attn.q_proj.weight"].float()
    assert queries.std().item() == pytest.approx(0.02, rel=0.1)
    projector = weights["multi_modal_projector.mm_input_projection_weight"].float()
    assert projector.std().item() == pytest.approx(0.2, rel=0.1)


def test_the_config_is_in_the_published_form(made: Path) -> None:
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert config["torch_dtype"] == "bfloat16"
    assert config["text_config"]["rope_scaling"] == {"factor": 8.0, "rope_type": "linear"}


def test_a_prompt_is_made_as_long_as_requested(made: Path) -> None:
    question, length = question_of(made, 256, 334)
    assert length == 334
    assert question.startswith("Is colorectal cancer present")
    assert question_of(made, 16, None)[1] < 60


def test_a_real_tokenizer_can_be_given(made: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, tokens=made)
    found = make_checkpoint(tmp_path / "other", recipe)
    assert made.name in found.model_id
    assert hashes(tmp_path / "other") == hashes(made)
