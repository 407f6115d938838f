from __future__ import annotations

import pytest
import torch

from training import augment


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("change", [change for _, change in augment.STEPS])
def test_each_change_keeps_shape_and_range(change: augment.Change, pictures: torch.Tensor) -> None:
    out = change(pictures, torch.Generator().manual_seed(0))
    assert out.shape == pictures.shape
    assert torch.isfinite(out).all()
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1 + 1e-5
    assert not torch.equal(out, pictures)


def test_all_changes_repeat_with_their_seed(pictures: torch.Tensor) -> None:
    first = augment.augment(pictures, torch.Generator().manual_seed(3))
    again = augment.augment(pictures, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)


def test_augmenting_leaves_its_input_alone(pictures: torch.Tensor) -> None:
    before = pictures.clone()
    augment.augment(pictures, torch.Generator().manual_seed(0))
    assert torch.equal(pictures, before)


def test_white_glass_stays_light_under_another_stain() -> None:
    out = augment.restain(torch.ones(8, 3, 8, 8), torch.Generator().manual_seed(0))
    assert float(out.min()) > 0.75


def test_grey_stays_grey_under_another_hue() -> None:
    grey = torch.rand(4, 1, 8, 8).expand(4, 3, 8, 8)
    out = augment.recolour(grey, torch.Generator().manual_seed(0))
    assert torch.allclose(out, grey, atol=1e-2)


def test_fading_names_what_it_emptied(pictures: torch.Tensor) -> None:
    out, emptied = augment.fade(pictures, torch.Generator().manual_seed(0), share=0.5)
    assert emptied.any()
    assert float(out[emptied].min()) > 0.9
    assert torch.allclose(out[~emptied], pictures[~emptied], atol=1e-6)
