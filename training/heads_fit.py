"""The heads of each network, trained on cached maps on a fixed schedule, whose averaged weights are
kept; and recipes with one part left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from training import backbone, crossval, maps
from training.backbone import Backbone
from training.fit import averaging
from training.heads import Heads, Member, capped
from training.kather import EPITHELIAL, FOLDS, OUTPUTS
from training.mix import KATHER, PASTED, UNKNOWN

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class HeadsRecipe:
    """Everything that decides heads besides version 3's weights, the views and the seed.

    `kinds` are the shares of views by kind (EBHI-Seg's, drawn, Kather 2016's, pasted); `neck`
    whether the neck is trained too, or the heads alone.
    """

    steps: int = 3000
    batch: int = 64
    rate: float = 1.5e-3
    decay: float = 0.05
    average: float = 0.98
    smoothing: float = 0.05
    spot_weight: float = 0.5
    veto_weight: float = 0.5
    kinds: tuple[float, float, float, float] = (0.42, 0.06, 0.36, 0.16)
    neck: bool = True
    tissue_classes: bool = True  # False: Kather 2016's tissue is tissue, no more
    outputs_left_out: tuple[int, ...] = ()  # classes of Kather 2016 that are not shown


def tile_targets(targets: Tensor, smoothing: float) -> Tensor:
    """Of the tile, from its spots' (n, 12, 10, 10): its lesions as far as they are in view."""
    share = targets.mean((2, 3))
    lesion = share[:, :EPITHELIAL]
    total = lesion.sum(1, keepdim=True)
    weight = ((total - 0.03) / 0.12).clamp(0, 1)
    rest = share[:, EPITHELIAL:]
    both = torch.cat(
        [
            lesion / total.clamp(min=1e-6) * weight,
            rest / rest.sum(1, keepdim=True).clamp(min=1e-6) * (1 - weight),
        ],
        1,
    )
    both = both / both.sum(1, keepdim=True).clamp(min=1e-6)
    even = torch.full((1, both.shape[1]), smoothing / OUTPUTS)
    even[:, UNKNOWN] = 0
    return both * (1 - smoothing) + even


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Against soft targets with one class more than the logits: some tissue, whichever."""
    scores = torch.log_softmax(logits, 1)
    tissue = scores[:, EPITHELIAL:].logsumexp(1, keepdim=True)
    return -(torch.cat([scores, tissue], 1) * target).sum(1).mean()


def loss_of(
    heads: nn.Module, deep: Tensor, shallow: Tensor, targets: Tensor, recipe: HeadsRecipe
) -> Tensor:
    tile, spots, epithelium = heads(deep, shallow)
    wanted = tile_targets(targets, recipe.smoothing)
    present = wanted[:, :EPITHELIAL].sum(1)
    veto = functional.binary_cross_entropy_with_logits(epithelium, present)
    return (
        cross_entropy(tile, wanted)
        + recipe.spot_weight * cross_entropy(spots, targets)
        + recipe.veto_weight * veto
    )


def weights_of(views: Arrays, recipe: HeadsRecipe, member: int | None) -> NDArray[np.float64]:
    """How often each view is shown: never one of the fold that this member is asked about."""
    kinds = views["kinds"]
    share = np.asarray(recipe.kinds)[kinds] / np.bincount(kinds, minlength=4)[kinds]
    if member is not None:
        share = share * (views["folds"] != member)
    if recipe.outputs_left_out:
        shown = views["targets"][:, list(recipe.outputs_left_out)].max((1, 2, 3)) > 0
        share = share * ~(shown & np.isin(kinds, (KATHER, PASTED)))
    return np.asarray(share / share.sum())


def fit(
    start: Heads,
    views: Arrays,
    recipe: HeadsRecipe,
    member: int,
    seed: int,
    progress: Progress,
    title: str,
) -> Heads:
    """The same inputs give the same heads."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    heads = start.train()
    heads.neck.requires_grad_(recipe.neck)
    trained = [parameter for parameter in heads.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=max(recipe.steps, 4), pct_start=0.1
    )
    averaged = averaging(heads, recipe.average)
    share = weights_of(views, recipe, member)
    bar = progress.add_task(title, total=recipe.steps)
    for _ in range(recipe.steps):
        rows = np.sort(rng.choice(len(share), recipe.batch, p=share))
        loss = loss_of(heads, *batch(views, rows, recipe), recipe)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(heads)
        progress.update(bar, advance=1, description=f"{title} loss {loss.item():.2f}")
    return cast(Heads, averaged.module).eval()


def batch(
    views: Arrays, rows: NDArray[np.int64], recipe: HeadsRecipe
) -> tuple[Tensor, Tensor, Tensor]:
    deep = torch.from_numpy(views["deep"][rows].astype(np.float32))
    shallow = torch.from_numpy(views["shallow"][rows].astype(np.float32))
    targets = torch.from_numpy(views["targets"][rows].astype(np.float32)) / 255
    if not recipe.tissue_classes:
        targets[:, UNKNOWN] += targets[:, EPITHELIAL:UNKNOWN].sum(1)
        targets[:, EPITHELIAL:UNKNOWN] = 0
    return deep, shallow, targets


def predict(
    heads: Heads, deep: NDArray[np.float16], shallow: NDArray[np.float16], cap: bool = True
) -> NDArray[np.float32]:
    """Tile log-probabilities (n, 11), with the veto or without."""
    out = []
    for start in range(0, len(deep), 128):
        rows = np.s_[start : start + 128]
        with torch.inference_mode():
            tile, _, epithelium = heads(
                torch.from_numpy(deep[rows].astype(np.float32)),
                torch.from_numpy(shallow[rows].astype(np.float32)),
            )
            out.append((capped(tile, epithelium) if cap else torch.log_softmax(tile, 1)).numpy())
    return np.concatenate(out)


SHIPPED = "shipped"
SEED = 7000
ABLATION_STEPS = 600
_SHORT = replace(HeadsRecipe(), steps=ABLATION_STEPS)
# What is shipped, then everything on a shorter schedule, then each part left out on the same one.
RECIPES: Mapping[str, HeadsRecipe] = {
    SHIPPED: HeadsRecipe(),
    "everything": _SHORT,
    "neck as in version 3": replace(_SHORT, neck=False),
    "no tissue classes": replace(_SHORT, tissue_classes=False),
    "nothing pasted across sources": replace(_SHORT, kinds=(0.5, 0.07, 0.43, 0.0)),
    "no drawn tissue": replace(_SHORT, kinds=(0.45, 0.0, 0.38, 0.17)),
    "no Kather 2016": replace(_SHORT, kinds=(0.85, 0.15, 0.0, 0.0)),
    "no tumour or mucosa of Kather 2016": replace(_SHORT, outputs_left_out=(0, 5)),
}


def file_of(runs: Path, name: str, member: int) -> Path:
    return runs / "heads" / f"{name.replace(' ', '-')}-{member}.pt"


def train(runs: Path, name: str = SHIPPED, which: Sequence[int] = range(FOLDS)) -> None:
    """The heads that are not there yet, each from version 3's weights."""
    (runs / "heads").mkdir(parents=True, exist_ok=True)
    networks = backbone.version_3(backbone.restore(runs))
    with crossval.bars() as progress:
        for member in which:
            if not file_of(runs, name, member).exists():
                views = maps.read_views(runs, member)
                seed, title = SEED + member, f"{name} {member}"
                torch.manual_seed(seed)
                start = Heads.of(networks[member])
                heads = fit(start, views, RECIPES[name], member, seed, progress, title)
                torch.save(heads.state_dict(), file_of(runs, name, member))


def read(runs: Path, name: str = SHIPPED) -> list[Heads]:
    found = []
    for member in range(FOLDS):
        heads = Heads()
        heads.load_state_dict(torch.load(file_of(runs, name, member), weights_only=True))
        found.append(heads.eval())
    return found


def members(runs: Path) -> list[Member]:
    """The networks that ship, whole."""
    networks = backbone.version_3(backbone.restore(runs))
    pairs = zip(networks, read(runs), strict=True)
    return [Member(Backbone(network), heads).eval() for network, heads in pairs]
