"""The crowns of version 4: one a network, trained and read back; and recipes with a lever off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training import crossval, maps, trunk
from training.crown import Crown
from training.crown_fit import CrownRecipe, fit
from training.ensemble import Member
from training.kather import FOLDS
from training.trunk import Trunk

SHIPPED = "shipped"
SEED = 7000
LEVER_STEPS = 600
_SHORT = replace(CrownRecipe(), steps=LEVER_STEPS)
# What is shipped, then everything on a shorter schedule, then each lever off on the same one.
RECIPES: Mapping[str, CrownRecipe] = {
    SHIPPED: CrownRecipe(),
    "everything": _SHORT,
    "neck as in version 3": replace(_SHORT, neck=False),
    "no tissue classes": replace(_SHORT, tissue_classes=False),
    "nothing pasted across sources": replace(_SHORT, kinds=(0.5, 0.07, 0.43, 0.0)),
    "no drawn tissue": replace(_SHORT, kinds=(0.45, 0.0, 0.38, 0.17)),
    "no Kather 2016": replace(_SHORT, kinds=(0.85, 0.15, 0.0, 0.0)),
    "no tumour or mucosa of Kather 2016": replace(_SHORT, outputs_left_out=(0, 5)),
}


def file_of(runs: Path, name: str, member: int) -> Path:
    return runs / "crowns" / f"{name.replace(' ', '-')}-{member}.pt"


def train(runs: Path, name: str = SHIPPED, which: Sequence[int] = range(FOLDS)) -> None:
    """The crowns that are not there yet, each from version 3's weights."""
    (runs / "crowns").mkdir(parents=True, exist_ok=True)
    networks = trunk.version_3(trunk.restore(runs))
    with crossval.bars() as progress:
        for member in which:
            if not file_of(runs, name, member).exists():
                views = maps.read_views(runs, member)
                seed, title = SEED + member, f"{name} {member}"
                torch.manual_seed(seed)
                start = Crown.of(networks[member])
                crown = fit(start, views, RECIPES[name], member, seed, progress, title)
                torch.save(crown.state_dict(), file_of(runs, name, member))


def read(runs: Path, name: str = SHIPPED) -> list[Crown]:
    found = []
    for member in range(FOLDS):
        crown = Crown()
        crown.load_state_dict(torch.load(file_of(runs, name, member), weights_only=True))
        found.append(crown.eval())
    return found


def members(runs: Path) -> list[Member]:
    """The networks that ship, whole."""
    networks = trunk.version_3(trunk.restore(runs))
    pairs = zip(networks, read(runs), strict=True)
    return [Member(Trunk(network), crown).eval() for network, crown in pairs]
