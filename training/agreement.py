"""How far the shipped network in 8-bit integers agrees with the one in float32, each with its own
calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from healer.engines.builtin import INT8_FOLDER
from healer.engines.builtin.engine import MODEL_FOLDER, BuiltinEngine, class_margin
from healer.evaluation.shifts import NONE, SHIFTS
from healer.images.tile import Tile
from healer.questions.colorectal import HIGH_GRADE_SHARE
from healer.screening.calibration import CALIBRATION_FILE, Calibration, read_calibration
from training import shipped
from training.calibration import CANCERS
from training.kather import COMPLEX, OUTPUTS
from training.shipped import HeldOut

RESULTS = Path(__file__).with_name("agreement.json")
BEGIN, END = "<!-- quantised: python -m training quantise -->", "<!-- end of quantised -->"
FOLDERS = (MODEL_FOLDER, INT8_FOLDER)
COUNTED = [1.0, HIGH_GRADE_SHARE, *[0.0] * (OUTPUTS - 2)]  # towards cancer
Margins = NDArray[np.float64]
Found = dict[str, dict[str, float]]


def compared(every: Sequence[HeldOut]) -> Found:
    """One member a tile, out of fold; and all four members together, which is what is served."""
    known = np.array([label for each in every for label in each.labels]) != COMPLEX
    truth = np.array([label in CANCERS for each in every for label in each.labels])[known]
    kinds = {"all four members": together, "out of fold": out_of_fold}
    return {
        name: agreement([margins(every, at)[known] for at in FOLDERS], truth)
        for name, margins in kinds.items()
    }


def out_of_fold(every: Sequence[HeldOut], folder: Path) -> Margins:
    """Each tile's by the member that never saw it."""
    found = [
        shipped.out_of_fold(each, SHIFTS[NONE], f"{folder.name}, {each.source}", folder)
        for each in every
    ]
    return class_margin(np.concatenate(found), COUNTED)


def together(every: Sequence[HeldOut], folder: Path) -> Margins:
    """Of the four members together, tile by tile."""
    engine = BuiltinEngine(1, folder)
    tiles = [Tile(pixels) for each in every for pixels in each.pixels]
    found = [engine.score([tile])[0].margin for tile in track(tiles, folder.name)]
    engine.close()
    return np.array(found)


def agreement(pair: Sequence[Margins], truth: NDArray[np.bool_]) -> dict[str, float]:
    """Of the float32 network's margins and the integers'."""
    before, after = (verdicts(*each) for each in zip(pair, FOLDERS, strict=True))
    moved = np.abs(pair[0] - pair[1])
    return {
        "tiles": len(truth),
        "same verdict, %": round(100 * float((before == after).mean()), 2),
        "yes became no": int(((before > 0) & (after < 0)).sum()),
        "no became yes": int(((before < 0) & (after > 0)).sum()),
        "AUROC, float32": round(float(roc_auc_score(truth, pair[0])), 5),
        "AUROC, int8": round(float(roc_auc_score(truth, pair[1])), 5),
        "median shift of the margin": round(float(np.median(moved)), 3),
        "largest": round(float(moved.max()), 2),
    }


def verdicts(of: Margins, folder: Path) -> NDArray[np.int64]:
    """1 for yes, -1 for no, 0 for neither, by the calibration in `folder`."""
    by = read_calibration(folder / CALIBRATION_FILE, Calibration)
    found = np.array([by.probability(margin) for margin in of])
    return np.where(found >= by.upper, 1, np.where(found <= by.lower, -1, 0))


def write(found: Found) -> None:
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    heads = list(next(iter(found.values())))
    rows = [[name, *(f"{row[head]:,}" for head in heads)] for name, row in found.items()]
    lines = [["", *heads], ["---"] * (len(heads) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
