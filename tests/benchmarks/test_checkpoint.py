from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.checkpoint import safetensors, shapes
from benchmarks.checkpoint.make import Recipe, make_checkpoint, sharded
from benchmarks.checkpoint.safetensors import bfloat16, numbers
from benchmarks.checkpoint.shapes import SHAPES, Weight
from benchmarks.checkpoint.tokenizer import question_of
from benchmarks.errors import CheckpointDiskFull, CheckpointFolderTaken
from healer.errors import ModelIncomplete
from healer.weights.manifest import MANIFEST_FILE, check_folder, read_manifest

TINY = Recipe(SHAPES["tiny"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: shared by all tests."""
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tiny")
    make_checkpoint(folder, TINY, progress=False)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: file.sha256 for file in check_folder(folder, deep=True).files}


def test_medgemmas_size_is_the_published_one() -> None:
    weights = list(shapes.weights(SHAPES["medgemma-4b"]))
    assert sum(weight.count for weight in weights) == 4_300_079_472
    assert len({weight.name for weight in weights}) == len(weights) == 883


def test_the_same_seed_makes_the_same_files(made: Path, tmp_path: Path) -> None:
    make_checkpoint(tmp_path, TINY, progress=False)
    assert hashes(tmp_path) == hashes(made)


def test_another_seed_makes_other_weights(made: Path, tmp_path: Path) -> None:
    found = make_checkpoint(tmp_path, replace(TINY, seed=1), progress=False)
    assert found.model_id == "healer/random-tiny-seed-1"
    same = {name for name, sha in hashes(tmp_path).items() if hashes(made).get(name) == sha}
    assert "tokenizer.json" in same
    assert not any(name.endswith(".safetensors") for name in same)


def test_a_finished_one_is_taken_up(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    before = read_manifest(folder).created
    assert make_checkpoint(folder, TINY, progress=False).created == before


def test_one_that_was_broken_off_is_written_anew(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    (folder / MANIFEST_FILE).unlink()
    next(folder.glob("*.safetensors")).write_bytes(b"half")
    with pytest.raises(ModelIncomplete):
        check_folder(folder)
    make_checkpoint(folder, TINY, progress=False)
    assert hashes(folder) == hashes(made)


def test_another_models_folder_is_left_alone(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointFolderTaken):
        make_checkpoint(made, replace(TINY, seed=5), progress=False)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointFolderTaken):
        make_checkpoint(tmp_path, TINY, progress=False)


def test_too_small_a_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(8_000_000_000))
    with pytest.raises(CheckpointDiskFull) as refused:
        make_checkpoint(tmp_path, Recipe(SHAPES["medgemma-4b"]))
    assert refused.value.needed_bytes > 8_600_000_000
    assert not list(tmp_path.iterdir())


def test_safetensors_reads_what_was_written(made: Path) -> None:
    load_file = pytest.importorskip("safetensors.torch").load_file
    read: dict[str, Any] = {}
    for file in made.glob("*.safetensors"):
        read |= load_file(file)
    expected = list(shapes.weights(SHAPES["tiny"]))
    assert set(read) == {weight.name for weight in expected}
    for weight in expected:
        values = read[weight.name].float().numpy()
        assert values.shape == weight.shape
        if weight.kind == "ones":
            assert (values == 1).all()
        elif weight.kind == "zeros":
            assert not values.any()
        elif weight.count > 1000:
            assert values.std() == pytest.approx(weight.deviation, rel=0.1)


def test_a_weight_is_the_same_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = Weight("any", (50, 20))
    whole = np.concatenate(list(numbers(weight, 3)))
    monkeypatch.setattr(safetensors, "CHUNK", 64)
    assert (np.concatenate(list(numbers(weight, 3))) == whole).all()


def test_bfloat16_is_rounded_as_torch_rounds() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).standard_normal(10_000, np.float32)
    expected = torch.from_numpy(values.copy()).bfloat16().view(torch.uint16).numpy()
    assert (bfloat16(values) == expected).all()


def test_shards_are_no_larger_than_asked() -> None:
    groups = list(sharded(SHAPES["tiny"]))
    sizes = [sum(weight.nbytes for weight in group) for group in groups]
    assert len(groups) > 1
    assert max(sizes) <= SHAPES["tiny"].shard_bytes
    assert sum(groups, []) == list(shapes.weights(SHAPES["tiny"]))  # noqa: RUF017


def test_a_prompt_is_made_as_long_as_asked(made: Path) -> None:
    question, length = question_of(made, 256, 334)
    assert length == 334
    assert question.startswith("Is colorectal cancer present")
    assert question_of(made, 16, None)[1] < 60


def test_a_real_tokenizer_can_be_given(made: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, tokens=made)
    found = make_checkpoint(tmp_path / "other", recipe, progress=False)
    assert made.name in found.model_id
    assert hashes(tmp_path / "other") == hashes(made)
