"""What each part of version 4 is worth, and what might be better: heads trained with one part left
out, or otherwise, measured out of fold.

Each tile, and each random view, is scored by the one network that never saw its fold. The cut is
the one that leaves 97 % of what is no cancer at home below it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score
from torch import nn

from healer.evaluation.shifts import NONE
from training import backbone, heads_fit, maps
from training.data import CANCER_INDEX, Tiles
from training.heads import Heads
from training.heads_fit import predict
from training.kather import COMPLEX, EPITHELIAL, FOLDS, OUTPUTS, KatherTiles
from training.metrics import margin
from training.mix import KATHER
from training.network import Network

RESULTS = Path(__file__).parent / "ablations.json"
BEGIN = "<!-- ablations: python -m training ablations -->"
END = "<!-- end of ablations -->"
LEVERS = "<!-- levers: python -m training levers -->"
LEVERS_END = "<!-- end of levers -->"
LEVER_RESULTS = Path(__file__).parent / "levers.json"
VERSIONS = "<!-- versions: python -m training ablations -->"
VERSIONS_END = "<!-- end of versions -->"
SPECIFICITY = 0.97
VERSION_3, NO_VETO = "version 3's heads", "no veto"
TUMOUR_IN_VIEW = 0.3  # share of a view from which it counts as cancer; none at all is no cancer

Reals = NDArray[np.float32]
FIGURES = {
    "home": "EBHI-Seg, AUROC",
    "kather": "Kather 2016, AUROC",
    "kather_changed": "Kather 2016 under six changes, AUROC",
    "views": "random views of Kather 2016, AUROC",
    "tissue": "Kather 2016, tissue called yes",
    "tumour": "Kather 2016, tumour called yes",
}


def measure(tiles: Tiles, folds: NDArray[np.int64], others: KatherTiles, runs: Path) -> None:
    """Trains what is not there yet, measures, writes `ablations.json`."""
    found = {}
    networks = backbone.version_3(backbone.restore(runs))
    start = [[as_version_3(network)] for network in networks]
    labels = tiles.labels == CANCER_INDEX
    found[VERSION_3] = figures(start, labels, folds, others, runs, cap=False)
    for name in heads_fit.RECIPES:
        heads_fit.train(runs, name)
        found[name] = figures(heads_fit.read(runs, name), labels, folds, others, runs)
        if name == "everything":
            trained = heads_fit.read(runs, name)
            found[NO_VETO] = figures(trained, labels, folds, others, runs, cap=False)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure_levers(tiles: Tiles, folds: NDArray[np.int64], others: KatherTiles, runs: Path) -> None:
    """Row by row into `levers.json`."""
    found = {}
    for name in heads_fit.LEVERS:
        heads_fit.train(runs, name)
        labels = tiles.labels == CANCER_INDEX
        found[name] = figures(heads_fit.read(runs, name), labels, folds, others, runs)
        LEVER_RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def as_version_3(network: Network) -> Heads:
    """Its tissue classes add up to what it called other tissue."""
    heads = Heads.of(network).eval()
    with torch.no_grad():
        heads.tile.bias[EPITHELIAL:] -= math.log(OUTPUTS - EPITHELIAL)
    return heads


def figures(
    members: Sequence[Sequence[nn.Module]],
    cancer: NDArray[np.bool_],
    folds: NDArray[np.int64],
    others: KatherTiles,
    runs: Path,
    *,
    cap: bool = True,
) -> dict[str, float]:
    home = dict(held_out(members, folds, "ebhi", runs, cap=cap))[NONE]
    away = dict(held_out(members, others.folds, "kather", runs, cap=cap))
    tumour = others.labels == "tumor"
    known = others.labels != COMPLEX
    tissue = others.outputs >= EPITHELIAL
    cut = np.quantile(home[~cancer], SPECIFICITY)
    every = np.concatenate([margins[known] for margins in away.values()])
    truth = np.tile(tumour[known], len(away))
    return {
        "home": area(cancer, home),
        "kather": area(tumour[known], away[NONE][known]),
        "kather_changed": area(truth, every),
        "views": of_views(members, runs, cap=cap),
        "tissue": round(float(np.mean([m[tissue] > cut for m in away.values()])), 4),
        "tumour": round(float(np.mean([m[tumour] > cut for m in away.values()])), 4),
    }


def held_out(
    members: Sequence[Sequence[nn.Module]],
    folds: NDArray[np.int64],
    name: str,
    runs: Path,
    *,
    cap: bool,
) -> Mapping[str, Reals]:
    """Margins by shift."""
    out = {}
    for shift, found in maps.read_held_out(runs, name):
        scores = np.empty((len(folds), OUTPUTS), np.float32)
        for member, heads in enumerate(members):
            rows = folds == member
            scores[rows] = predict(heads, found.deep[rows], found.shallow[rows], cap=cap)
        out[shift] = margin(scores, CANCER_INDEX)
    return out


def of_views(members: Sequence[Sequence[nn.Module]], runs: Path, *, cap: bool) -> float:
    """AUROC on random views of Kather 2016: any scale, stain, camera and focus."""
    truths, margins = [], []
    for member in track(range(FOLDS), "Random views"):
        views: Mapping[str, NDArray[Any]] = maps.read_views(runs, member)
        tumour = views["targets"][:, CANCER_INDEX].mean((1, 2)) / 255
        clear = (tumour > TUMOUR_IN_VIEW) | (tumour == 0)
        rows = (views["folds"] == member) & (views["kinds"] == KATHER) & clear
        scores = predict(members[member], views["deep"][rows], views["shallow"][rows], cap=cap)
        truths.append(tumour[rows] > 0)
        margins.append(margin(scores, CANCER_INDEX))
    return area(np.concatenate(truths), np.concatenate(margins))


def area(truth: NDArray[np.bool_], margins: Reals) -> float:
    return round(float(roc_auc_score(truth, margins)), 4)


def table(file: Path = RESULTS) -> str:
    rows = json.loads(file.read_text(encoding="utf-8"))
    lines = [f"| | {' | '.join(FIGURES.values())} |", "|---" * (len(FIGURES) + 1) + "|"]
    for name, found in rows.items():
        areas = [f"{found[key]:.3f}" for key in list(FIGURES)[:4]]
        shares = [f"{found[key]:.1%}" for key in list(FIGURES)[4:]]
        lines.append(f"| {name} | {' | '.join([*areas, *shares])} |")
    return "\n".join(lines)


def versions(file: Path = RESULTS) -> str:
    """Version 3 beside version 4."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    old, new = rows[VERSION_3], rows[heads_fit.SHIPPED]
    lines = ["| out of fold | version 3 | version 4 |", "|---|---|---|"]
    for key, title in FIGURES.items():
        form = "{:.1%}" if key in {"tissue", "tumour"} else "{:.3f}"
        lines.append(f"| {title} | {form.format(old[key])} | {form.format(new[key])} |")
    return "\n".join(lines)
