"""What it would cost to call less tissue cancer with the networks as they are.

Two rules stricter than the cuts that ship, each fitted so that at most 2 % of Kather 2016's tissue
without glands is called yes over every change: a higher cut, and a limit on the probability of
the tissue classes together. Each is fitted on half of the groups, drawn again and again, and
measured on the other half, and on EBHI-Seg.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.screening.calibration import Calibration
from healer.screening.opening import SHIPPED
from training.calibration import CANCERS
from training.kather import COMPLEX, TISSUES
from training.laboratories import margin_of
from training.shipped import CLASS_ANSWERS, KATHER_2016

BEGIN = "<!-- stricter: python -m training card -->"
END = "<!-- end of stricter -->"
MOST = 0.02  # of tissue without glands called yes
DRAWS, SEED = 200, 0
AS_SHIPPED, HIGHER_CUT, TISSUE_LIMIT = "the cuts that ship", "a higher cut", "a limit on tissue"
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """Out of fold, under every change; `tissue` is the probability of the tissue classes."""

    probability: NDArray[np.float64]
    tissue: NDArray[np.float64]
    cancer: Flags
    glandless: Flags
    away: Flags
    groups: NDArray[np.str_]


def answers(fitted: Calibration, file: Path = CLASS_ANSWERS) -> Answers:
    with file.open(newline="", encoding="utf-8") as out:
        rows = [row for row in csv.DictReader(out) if row["label"] != COMPLEX]
    labels = np.array([row["label"] for row in rows])
    return Answers(
        np.array([fitted.probability(margin_of(row)) for row in rows]),
        np.array([sum(float(row[name]) for name in TISSUES) for row in rows]),
        np.isin(labels, list(CANCERS)),
        np.isin(labels, list(TISSUES)),
        np.array([row["source"] == KATHER_2016 for row in rows]),
        np.array([row["case_id"] for row in rows]),
    )


def called_yes(found: Answers, known: Flags, rule: str, fitted: Calibration) -> tuple[float, Flags]:
    """The rule's limit, fitted on the known tiles, and what it calls yes of all."""
    yes = found.probability >= fitted.upper
    glandless = found.glandless & known
    allowed = int(MOST * glandless.sum())
    if rule == HIGHER_CUT:
        bar = max(fitted.upper, float(np.sort(found.probability[glandless])[::-1][allowed]))
        return bar, yes & (found.probability > bar)
    if rule == TISSUE_LIMIT:
        wrong = np.sort(found.tissue[glandless & yes])
        bar = float(wrong[allowed]) if len(wrong) > allowed else 1.0
        return bar, yes & (found.tissue < bar)
    return fitted.upper, yes


def measured(found: Answers, rule: str, fitted: Calibration) -> Mapping[str, float]:
    """Means over the draws."""
    random = np.random.default_rng(SEED)
    groups = np.unique(found.groups[found.away])
    drawn = []
    for _ in range(DRAWS):
        half = random.permutation(groups)[: len(groups) // 2]
        known = found.away & np.isin(found.groups, half)
        unseen = found.away & ~known
        limit, yes = called_yes(found, known, rule, fitted)
        between = ~yes & (found.probability > fitted.lower)
        drawn.append(
            {
                "limit": limit,
                "tissue": yes[unseen & found.glandless].mean(),
                "tumour": yes[unseen & found.cancer].mean(),
                "away_between": between[unseen].mean(),
                "cancer": yes[~found.away & found.cancer].mean(),
                "home_between": between[~found.away].mean(),
            }
        )
    return {name: float(np.mean([each[name] for each in drawn])) for name in drawn[0]}


def table(file: Path = CLASS_ANSWERS) -> str:
    fitted = Calibration.model_validate_json(SHIPPED.read_bytes())
    found = answers(fitted, file)
    lines = [
        "| rule for yes | limit | Kather 2016, unseen groups: tissue called yes "
        "| tumour called yes | indeterminate | EBHI-Seg: cancer called yes | indeterminate |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule in (AS_SHIPPED, HIGHER_CUT, TISSUE_LIMIT):
        limit, *shares = measured(found, rule, fitted).values()
        lines.append(f"| {rule} | {limit:.2f} | {' | '.join(f'{each:.1%}' for each in shares)} |")
    return "\n".join(lines)
