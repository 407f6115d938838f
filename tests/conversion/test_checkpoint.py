from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from healer.conversion.checkpoint import Checkpoint, plain_name, read_config
from healer.conversion.weights import embedding_scale
from healer.errors import NotConvertible
from tests.gemma import make_checkpoint

EMBEDDING = "language_model.embed_tokens.weight"


def edit_config(folder: Path, part: str | None, **changed: object) -> None:
    file = folder / "config.json"
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    (config[part] if part else config).update(changed)
    file.write_text(json.dumps(config))


def test_every_weight_is_the_one_torch_reads(checkpoint: Path) -> None:
    found = Checkpoint(checkpoint, "m")
    read = 0
    for file in checkpoint.glob("*.safetensors"):
        for name, tensor in load_file(file).items():
            np.testing.assert_array_equal(found.read(plain_name(name)), tensor.float().numpy())
            read += 1
    assert read == len(found.names) == 119


def test_both_layouts_have_the_same_names(checkpoint: Path, exact: Path) -> None:
    assert sorted(Checkpoint(checkpoint, "m").names) == sorted(Checkpoint(exact, "m").names)


@pytest.mark.parametrize(
    ("published", "plain"),
    [
        ("language_model.model.layers.0.x.weight", "language_model.layers.0.x.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("vision_tower.vision_model.post_layernorm.bias", "vision_tower.post_layernorm.bias"),
        ("model.multi_modal_projector.x.weight", "multi_modal_projector.x.weight"),
    ],
)
def test_names_of_the_published_layout(published: str, plain: str) -> None:
    assert plain_name(published) == plain


def test_some_rows_are_read_alone(checkpoint: Path) -> None:
    found = Checkpoint(checkpoint, "m")
    np.testing.assert_array_equal(found.read(EMBEDDING, slice(3, 7)), found.read(EMBEDDING)[3:7])


def test_a_missing_weight_is_named(checkpoint: Path) -> None:
    with pytest.raises(NotConvertible, match=r"no weight language_model\.layers\.99"):
        Checkpoint(checkpoint, "m").read("language_model.layers.99.mlp.up_proj.weight")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConvertible, match="embed_tokens"):
        Checkpoint(tmp_path, "m")


def test_the_shape_has_the_defaults_that_the_file_leaves_out(checkpoint: Path) -> None:
    text: Any = read_config(checkpoint, "m").text_config
    assert text.rope_parameters["full_attention"]["factor"] == 8.0
    assert text.rope_parameters["sliding_attention"]["rope_theta"] == 10_000.0


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("text_config", {"attn_logit_softcapping": 50.0}),
        ("text_config", {"attention_bias": True}),
        ("text_config", {"hidden_activation": "silu"}),
        ("text_config", {"rope_scaling": {"factor": 8.0, "rope_type": "dynamic"}}),
        ("vision_config", {"hidden_act": "relu"}),
        (None, {"architectures": ["Gemma3ForSequenceClassification"]}),
    ],
    ids=str,
)
def test_another_arithmetic_is_refused(
    tmp_path: Path, part: str | None, changed: dict[str, object]
) -> None:
    folder = make_checkpoint(tmp_path / "model")
    edit_config(folder, part, **changed)
    with pytest.raises(NotConvertible):
        read_config(folder, "m")


def test_the_embedding_is_scaled_by_a_bfloat16_number() -> None:
    class Wide(Checkpoint):
        def __init__(self) -> None:
            self._stored = {EMBEDDING: ("BF16", np.empty((1, 2560), np.uint16))}

    assert embedding_scale(Wide()) == torch.tensor(2560**0.5).bfloat16().float().item() == 50.5
