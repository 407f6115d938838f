"""The model card's tables, written from `results.json` so that they cannot drift from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training import clusters
from training.evaluate import HOME, RESULTS
from training.metrics import VERSUS_ALL, VERSUS_BENIGN

CARD = Path(__file__).parents[1] / "docs" / "model-card.md"
BEGIN = "<!-- figures: python -m training card -->"
END = "<!-- end of figures -->"
BY_STAIN = "<!-- stain clusters: python -m training clusters -->"
BY_STAIN_END = "<!-- end of stain clusters -->"


def figures(file: Path = RESULTS) -> str:
    """The text between the markers."""
    results = json.loads(file.read_text(encoding="utf-8"))
    parts = [at_home(results), under_shifts(results), beside(results)]
    return "\n\n".join(parts)


def at_home(results: Mapping[str, Any]) -> str:
    network, baseline = results["network"][HOME], results["baseline"][HOME]
    rows = [
        f"| {task} | {row['positive']} / {row['tiles']} | {row['cases']} "
        f"| {area(row)} | {area(baseline[task])} |"
        for task, row in network.items()
    ]
    head = "| AUROC, out of fold | positive / tiles | cases | network | colour histogram |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def under_shifts(results: Mapping[str, Any]) -> str:
    rows = [
        f"| {shift} | {area(row[VERSUS_BENIGN])} | {area(row[VERSUS_ALL])} "
        f"| {area(results['baseline'][shift][VERSUS_ALL])} |"
        for shift, row in results["network"].items()
    ]
    head = (
        "| tile, changed | against normal and polyp | against all | colour histogram, against all |"
    )
    return "\n".join([head, "|---|---|---|---|", *rows])


def beside(results: Mapping[str, Any]) -> str:
    folds = ", ".join(f"{value:.3f}" for value in results["each_fold"][VERSUS_ALL])
    cut = results["threshold"]
    return (
        f"{results['tiles']} tiles of {results['cases']} cases, {results['folds']} folds. "
        "AUROC against all other classes fold by fold: "
        f"{folds}. Cut at even odds, balanced accuracy is "
        f"{cut['balanced_accuracy_at_even_odds']:.3f}; at 95 % specificity, sensitivity is "
        f"{cut['sensitivity_at_95_specificity']:.3f}."
    )


def area(row: Mapping[str, float]) -> str:
    return f"{row['auroc']:.3f} ({row['low']:.3f}–{row['high']:.3f})"


def stain_clusters(file: Path = clusters.RESULTS) -> str:
    rows = [
        f"| {at} | {' '.join(map(str, row['mean_colour']))} | {row['cancers']} / {row['tiles']} "
        f"| {row['cases']} | {area(row['cluster_unseen'])} | {area(row['cases_unseen'])} "
        f"| {area(row['colour_histogram'])} |"
        for at, row in enumerate(json.loads(file.read_text(encoding="utf-8")), 1)
    ]
    head = (
        "| stain cluster | mean red, green, blue | cancer / tiles | cases | cluster never seen "
        "| only its cases never seen | colour histogram, cluster never seen |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def rendered(card: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """The card with what stands between two markers replaced."""
    before, rest = card.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{table}\n{end}{after}"
