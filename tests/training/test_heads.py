"""The trained part: where it begins, what it learns from, and the veto."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

from healer.engines.builtin.engine import SIDE
from training import backbone, heads_fit
from training.backbone import CHANNELS, SHALLOW_CHANNELS, Backbone
from training.export import traced
from training.heads import Heads, TunedHeads, averaged, capped
from training.heads_fit import HeadsRecipe
from training.kather import EPITHELIAL, OUTPUTS
from training.mix import EBHI, KATHER, PASTED, SPOTS, UNKNOWN
from training.network import Network


def pixels(count: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), dtype=torch.uint8)


def test_networks_are_rebuilt_from_their_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.bias) * 0.1
            module.running_var = torch.rand_like(module.bias) + 0.5
    file = tmp_path / "one.onnx"
    file.write_bytes(traced(network, ("tile", "spots")).SerializeToString())
    (rebuilt,) = backbone.version_3(file)
    with torch.inference_mode():
        for one, other in zip(network(pixels()), rebuilt(pixels()), strict=True):
            assert torch.allclose(one, other, atol=1e-3)


def test_heads_begin_as_those_of_version_3() -> None:
    torch.manual_seed(0)
    network = Network(neck=8).eval()
    heads = Heads.of(network, width=12).eval()
    with torch.inference_mode():
        deep, _, shallow = Backbone(network).eval()(pixels())
        _, spots, epithelium = heads(deep, shallow)
        _, theirs = network(pixels())
    assert torch.allclose(spots[:, : EPITHELIAL + 1], theirs, atol=1e-4)
    assert torch.equal(epithelium, torch.zeros(2))


def test_the_veto_caps_every_class_of_epithelium_together() -> None:
    tile = torch.randn(5, OUTPUTS)
    free, vetoed = capped(tile, torch.full((5,), 9.0)), capped(tile, torch.full((5,), -3.0))
    assert torch.allclose(free, torch.log_softmax(tile, 1), atol=1e-3)
    share = vetoed.exp()[:, :EPITHELIAL].sum(1)
    assert torch.allclose(share, torch.sigmoid(torch.full((5,), -3.0)), atol=1e-6)
    assert torch.allclose(vetoed.exp().sum(1), torch.ones(5))
    kept = vetoed[:, :EPITHELIAL] - vetoed[:, :1]
    assert torch.allclose(kept, free[:, :EPITHELIAL] - free[:, :1], atol=1e-5)


def test_heads_are_averaged_to_probabilities() -> None:
    one, other = (torch.log_softmax(torch.randn(4, OUTPUTS), 1) for _ in range(2))
    both = averaged([one, other])
    assert torch.allclose(both.exp().sum(1), torch.ones(4))
    assert torch.equal(averaged([one, one]).argmax(1), one.argmax(1))
    assert torch.allclose(both[:, 0] - both[:, 1], (one + other)[:, :2].diff().flatten() / -2)


def test_blocks_to_tune_begin_as_the_backbones() -> None:
    torch.manual_seed(0)
    network = Network(neck=8).eval()
    plain = Heads.of(network, width=12)
    tuned = TunedHeads(plain, network).eval()
    with torch.inference_mode():
        deep, _, shallow = Backbone(network).eval()(pixels())
        for one, other in zip(plain(deep, shallow), tuned(deep, shallow), strict=True):
            assert torch.allclose(one, other, atol=1e-5)
    assert not any(module.training for module in tuned.train().last.modules())


def test_a_small_lesion_speaks_for_the_tile() -> None:
    targets = torch.zeros(2, OUTPUTS + 1, SPOTS, SPOTS)
    targets[:, UNKNOWN] = 1
    targets[0, UNKNOWN, :2], targets[0, 3, :2] = 0, 1
    found = heads_fit.tile_targets(targets, smoothing=0)
    assert found[0, 3] == 1
    assert found[1, UNKNOWN] == 1


def test_unnamed_tissue_may_be_any() -> None:
    target = torch.zeros(1, OUTPUTS + 1)
    target[0, UNKNOWN] = 1
    for output in range(EPITHELIAL, OUTPUTS):
        logits = torch.full((1, OUTPUTS), -20.0)
        logits[0, output] = 20
        assert heads_fit.cross_entropy(logits, target) < 1e-4


@pytest.fixture
def views() -> heads_fit.Arrays:
    rng = np.random.default_rng(0)
    count = 40
    targets = np.zeros((count, OUTPUTS + 1, SPOTS, SPOTS), np.uint8)
    outputs = np.arange(count) % OUTPUTS
    targets[np.arange(count), outputs] = 255
    deep = rng.normal(size=(count, CHANNELS, SPOTS, SPOTS)) * 0.1
    deep[np.arange(count), outputs] += 3
    return {
        "deep": deep.astype(np.float16),
        "shallow": np.zeros((count, 2 * SHALLOW_CHANNELS), np.float16),
        "targets": targets,
        "kinds": np.array([EBHI, KATHER, PASTED, KATHER] * 10),
        "folds": np.arange(count) % 4,
    }


def test_no_view_of_the_fold_that_a_member_is_asked_about(views: heads_fit.Arrays) -> None:
    weights = heads_fit.weights_of(views, HeadsRecipe(), member=2)
    assert weights[views["folds"] == 2].sum() == 0
    assert weights.sum() == pytest.approx(1)


def test_classes_left_out_are_not_shown(views: heads_fit.Arrays) -> None:
    recipe = HeadsRecipe(outputs_left_out=(0, 5))
    weights = heads_fit.weights_of(views, recipe, member=3)
    shown = np.flatnonzero(weights)
    real = views["kinds"][shown] == EBHI
    assert not np.isin(shown[~real] % OUTPUTS, (0, 5)).any()


def test_tissue_weighs_more_and_the_mean_weight_stays(views: heads_fit.Arrays) -> None:
    rows, rng = np.arange(40), np.random.default_rng(0)
    weight = heads_fit.batch(views, rows, HeadsRecipe(tissue_weight=8), rng).weight
    kinds, outputs = views["kinds"], rows % OUTPUTS
    heavy = (outputs >= EPITHELIAL) & (kinds != EBHI)
    assert weight[heavy].min() > 7 * weight[~heavy].max()
    assert float(weight.mean()) == pytest.approx(1)


def test_maps_and_targets_are_mixed_alike(views: heads_fit.Arrays) -> None:
    """The maps say each view's class: mixed, they say the mixed target."""
    rows, rng = np.arange(40), np.random.default_rng(1)
    torch.manual_seed(0)
    plain = dict(views) | {"deep": np.zeros_like(views["deep"])}
    plain["deep"][rows, rows % OUTPUTS] = 1
    mixed = heads_fit.batch(plain, rows, HeadsRecipe(mixed=2.0), rng)
    assert torch.allclose(mixed.deep[:, :OUTPUTS], mixed.targets[:, :OUTPUTS], atol=1e-4)
    assert ((mixed.targets > 0.01) & (mixed.targets < 0.99)).any()


def test_heads_learn_and_the_same_seed_gives_the_same(views: heads_fit.Arrays) -> None:
    recipe = HeadsRecipe(steps=30, batch=16, rate=1e-2, average=0.5)

    def trained() -> Heads:
        torch.manual_seed(0)
        start = Heads.of(Network(neck=8), width=12)
        return heads_fit.fit(start, views, recipe, 0, 1, Progress(disable=True), "")

    one, other = trained(), trained()
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)
    scores = heads_fit.predict([one], views["deep"], views["shallow"])
    right = scores.argmax(1) == views["targets"][..., 0, 0].argmax(1)
    assert right.mean() > 0.5
