from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from healer.engines.vlm.adapter import CONFIG, WEIGHTS
from healer.errors import ModelUnsound
from healer.evaluation.datasets import Dataset
from healer.tuning import lora
from healer.tuning.data import Recipe
from healer.tuning.run import Run
from healer.tuning.train import Step
from tests.gemma import MODEL_ID
from tests.tuning.conftest import RECIPE, job_of


def test_only_the_language_models_lora_layers_learn(
    base: Path, tiles: Dataset, tmp_path: Path
) -> None:
    run = Run(job_of(base, tiles, tmp_path))
    model = run._gemma.model
    frozen = {
        name: parameter.clone()
        for name, parameter in model.named_parameters()
        if "lora_" not in name
    }
    run.trainer.step()
    run._wrapped.zero_grad()
    inputs, _ = run.trainer._lessons.batch([0])
    model(**inputs).logits.sum().backward()
    moved = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert moved
    assert all(".language_model." in name and ".lora_" in name for name in moved)
    for name, parameter in model.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name]), name


def test_every_linear_layer_of_the_language_model_is_reached(base: Path, tiles: Dataset) -> None:
    model = lora.load_model(job_of(base, tiles, base).plan).model
    linear = sum(isinstance(each, nn.Linear) for each in model.model.language_model.modules())
    wrapped = lora.attach_lora(model, RECIPE, MODEL_ID)
    assert len(lora.trainable(wrapped)) == 2 * linear == 2 * 6 * 7


def test_a_layer_that_is_missed_is_reported(base: Path, tiles: Dataset) -> None:
    model = lora.load_model(job_of(base, tiles, base).plan).model
    wrapped = lora.attach_lora(model, RECIPE, MODEL_ID)
    lora.trainable(wrapped)[0].requires_grad_(False)
    with pytest.raises(ModelUnsound, match="LoRA does not fit its layers"):
        lora.check_trainable(model, MODEL_ID)


def test_the_size_of_an_adapter_is_known_without_reading_weights(
    base: Path, finished: tuple[Path, list[Step]]
) -> None:
    weights = load_file(finished[0] / "adapter" / WEIGHTS)
    saved = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    assert lora.adapter_bytes(base, RECIPE, MODEL_ID) == saved
    assert lora.adapter_bytes(base, Recipe(rank=8), MODEL_ID) == 2 * saved


def test_an_adapter_is_pefts_own_format_and_names_no_folder(
    base: Path, finished: tuple[Path, list[Step]]
) -> None:
    folder = finished[0] / "adapter"
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (4, 16, "LORA")
    assert config["base_model_name_or_path"] == MODEL_ID
    assert str(base) not in (folder / CONFIG).read_text(encoding="utf-8")
    assert all(name.startswith("base_model.model.") for name in load_file(folder / WEIGHTS))
    assert (folder / WEIGHTS).stat().st_mode & 0o044


def test_four_bit_weights_train_too(base: Path, tiles: Dataset, tmp_path: Path) -> None:
    from bitsandbytes.nn.modules import Linear4bit

    recipe = RECIPE.model_copy(update={"quantization": "4bit"})
    run = Run(job_of(base, tiles, tmp_path, recipe))
    kinds = {
        name: isinstance(module, Linear4bit)
        for name, module in run._gemma.model.named_modules()
        if isinstance(module, nn.Linear) and ".lora_" not in name
    }
    assert {name for name, four in kinds.items() if four} == {
        name for name in kinds if ".language_model." in name
    }
    losses = [run.trainer.step().loss for _ in range(8)]
    assert losses[-1] < losses[0] / 2
