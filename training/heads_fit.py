"""The heads of each network, trained on cached maps on a fixed schedule, whose averaged weights are
kept; and recipes with one part left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from training import backbone, crossval, maps
from training.backbone import Backbone
from training.fit import averaging
from training.heads import Heads, Member, TunedHeads, averaged, capped
from training.kather import EPITHELIAL, FOLDS, OUTPUTS
from training.mix import KATHER, PASTED, UNKNOWN

Arrays = Mapping[str, NDArray[Any]]
Trained = TypeVar("Trained", bound=nn.Module)


@dataclass(frozen=True)
class Batch:
    """Maps and targets of some views, and what each weighs in the loss (1 on average)."""

    deep: Tensor
    shallow: Tensor
    targets: Tensor
    weight: Tensor


@dataclass(frozen=True)
class HeadsRecipe:
    """Everything that decides heads besides version 3's weights, the views and the seed.

    `kinds` are the shares of views by kind (EBHI-Seg's, drawn, Kather 2016's, pasted); `neck`
    whether the neck is trained too, or the heads alone; `seeds` how many heads are trained, each
    from a seed of its own, to be averaged.
    """

    seeds: int = 1
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
    exchanged: bool = False  # views in each other's colours are shown too
    tissue_weight: float = 1.0  # in the loss, of views of Kather 2016's tissue without glands
    mixed: float = 0.0  # maps of two views are mixed, by a beta distribution of this shape
    tuned: float = 0.0  # learning rate of the last blocks of the backbone


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


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Against soft targets with one class more than the logits: some tissue, whichever."""
    scores = torch.log_softmax(logits, 1)
    tissue = scores[:, EPITHELIAL:].logsumexp(1, keepdim=True)
    each = -(torch.cat([scores, tissue], 1) * target).sum(1)
    return (each.flatten(1).mean(1) * weight if each.dim() > 1 else each * weight).mean()


def loss_of(heads: nn.Module, shown: Batch, recipe: HeadsRecipe) -> Tensor:
    tile, spots, epithelium = heads(shown.deep, shown.shallow)
    wanted = tile_targets(shown.targets, recipe.smoothing)
    present = wanted[:, :EPITHELIAL].sum(1)
    veto = functional.binary_cross_entropy_with_logits(epithelium, present, reduction="none")
    return (
        cross_entropy(tile, wanted, shown.weight)
        + recipe.spot_weight * cross_entropy(spots, shown.targets, shown.weight)
        + recipe.veto_weight * (veto * shown.weight).mean()
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
    start: Trained,
    views: Arrays,
    recipe: HeadsRecipe,
    member: int,
    seed: int,
    progress: Progress,
    title: str,
) -> Trained:
    """The same inputs give the same heads."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    heads = start.train()
    groups = parameters_of(heads, recipe)
    trained = [parameter for group in groups for parameter in group["params"]]
    optimiser = torch.optim.AdamW(groups, recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in groups],
        total_steps=max(recipe.steps, 4),
        pct_start=0.1,
    )
    smooth = averaging(heads, recipe.average)
    share = weights_of(views, recipe, member)
    bar = progress.add_task(title, total=recipe.steps)
    for _ in range(recipe.steps):
        rows = np.sort(rng.choice(len(share), recipe.batch, p=share))
        loss = loss_of(heads, batch(views, rows, recipe, rng), recipe)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimiser.step()
        schedule.step()
        smooth.update_parameters(heads)
        progress.update(bar, advance=1, description=f"{title} loss {loss.item():.2f}")
    return cast(Trained, smooth.module.eval())


def parameters_of(heads: nn.Module, recipe: HeadsRecipe) -> list[dict[str, Any]]:
    """What is trained, each part at its rate."""
    if isinstance(heads, TunedHeads):
        rates = ((heads.heads, recipe.rate), (heads.last, recipe.tuned))
        return [{"params": list(part.parameters()), "lr": rate} for part, rate in rates]
    if isinstance(heads, Heads):
        heads.neck.requires_grad_(recipe.neck)
    trained = [parameter for parameter in heads.parameters() if parameter.requires_grad]
    return [{"params": trained, "lr": recipe.rate}]


def batch(
    views: Arrays, rows: NDArray[np.int64], recipe: HeadsRecipe, rng: np.random.Generator
) -> Batch:
    deep = torch.from_numpy(views["deep"][rows].astype(np.float32))
    shallow = torch.from_numpy(views["shallow"][rows].astype(np.float32))
    targets = torch.from_numpy(views["targets"][rows].astype(np.float32)) / 255
    if not recipe.tissue_classes:
        targets[:, UNKNOWN] += targets[:, EPITHELIAL:UNKNOWN].sum(1)
        targets[:, EPITHELIAL:UNKNOWN] = 0
    weight = torch.ones(len(rows))
    if recipe.tissue_weight != 1:
        real = torch.from_numpy(np.isin(views["kinds"][rows], (KATHER, PASTED)))
        tissue = targets[:, EPITHELIAL:UNKNOWN].sum(1).mean((1, 2)) * real
        weight = 1 + (recipe.tissue_weight - 1) * tissue
        weight = weight / weight.mean()
    if recipe.mixed:
        share, other = float(rng.beta(recipe.mixed, recipe.mixed)), torch.randperm(len(rows))
        deep, shallow, targets = (
            share * part + (1 - share) * part[other] for part in (deep, shallow, targets)
        )
    return Batch(deep, shallow, targets, weight)


def predict(
    heads: Sequence[nn.Module],
    deep: NDArray[np.float16],
    shallow: NDArray[np.float16],
    cap: bool = True,
) -> NDArray[np.float32]:
    """Tile log-probabilities (n, 11), averaged over heads, with the veto or without."""
    out = []
    for start in range(0, len(deep), 128):
        rows = np.s_[start : start + 128]
        maps_of = [torch.from_numpy(part[rows].astype(np.float32)) for part in (deep, shallow)]
        with torch.inference_mode():
            found = [each(*maps_of) for each in heads]
            scores = [
                capped(tile, epithelium) if cap else torch.log_softmax(tile, 1)
                for tile, _, epithelium in found
            ]
            out.append(averaged(scores).numpy())
    return np.concatenate(out)


SHIPPED = "shipped"
SEED = 7000
LEVER_STEPS, TUNING_STEPS, ABLATION_STEPS = 1000, 700, 600
_ONE = replace(HeadsRecipe(), steps=LEVER_STEPS)
_SHORT = replace(HeadsRecipe(), steps=ABLATION_STEPS)
# What might be better than what ships, beside the same without it.
LEVERS: Mapping[str, HeadsRecipe] = {
    "as shipped, 1,000 steps": _ONE,
    "views in each other's colours too": replace(_ONE, exchanged=True),
    "the same, three seeds averaged": replace(_ONE, exchanged=True, seeds=3),
    "tissue weighted eightfold": replace(_ONE, tissue_weight=8.0),
    "maps of two views mixed": replace(_ONE, mixed=0.3),
    "last three blocks fine-tuned": replace(_ONE, exchanged=True, tuned=2e-4, steps=TUNING_STEPS),
}
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


def recipe_of(name: str) -> HeadsRecipe:
    return RECIPES[name] if name in RECIPES else LEVERS[name]


def file_of(runs: Path, name: str, member: int, number: int = 0) -> Path:
    plain = "-".join(re.findall(r"\w+", name))
    return runs / "heads" / f"{plain}-{member}-{number}.pt"


def train(runs: Path, name: str = SHIPPED, which: Sequence[int] = range(FOLDS)) -> None:
    """The heads that are not there yet, each from version 3's weights."""
    (runs / "heads").mkdir(parents=True, exist_ok=True)
    recipe = recipe_of(name)
    with crossval.bars() as progress:
        for member in which:
            files = [file_of(runs, name, member, number) for number in range(recipe.seeds)]
            if all(file.exists() for file in files):
                continue
            views = maps.read_views(runs, member, exchanged=recipe.exchanged)
            for number, file in enumerate(files):
                if not file.exists():
                    seed, title = SEED + member + 10 * number, f"{name} {member}.{number}"
                    start = beginning(runs, member, recipe, seed)
                    heads = fit(start, views, recipe, member, seed, progress, title)
                    torch.save(heads.state_dict(), file)


def beginning(runs: Path, member: int, recipe: HeadsRecipe, seed: int = SEED) -> nn.Module:
    network = backbone.version_3(backbone.restore(runs))[member]
    torch.manual_seed(seed)
    heads = Heads.of(network)
    return TunedHeads(heads, network) if recipe.tuned else heads


def read(runs: Path, name: str = SHIPPED) -> list[list[nn.Module]]:
    """Of each member the heads of every seed."""
    return [
        [_read(runs, name, member, number) for number in range(recipe_of(name).seeds)]
        for member in range(FOLDS)
    ]


def _read(runs: Path, name: str, member: int, number: int) -> nn.Module:
    heads = beginning(runs, member, recipe_of(name))
    file = file_of(runs, name, member, number)
    heads.load_state_dict(torch.load(file, weights_only=True))
    return heads.eval()


def members(runs: Path) -> list[Member]:
    """The networks that ship, whole."""
    networks = backbone.version_3(backbone.restore(runs))
    pairs = zip(networks, read(runs), strict=True)
    return [Member(Backbone(network), heads).eval() for network, heads in pairs]
