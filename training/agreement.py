"""How far the shipped network in 8-bit integers agrees with the one in float32, and OpenVINO's
integers with ONNX Runtime's, each with its own calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from healer.engines.builtin.engine import BuiltinEngine, class_margin, network_input
from healer.engines.builtin.runtime import INT8_FOLDER, MODEL_FOLDER, Runtime, calibration_of
from healer.engines.builtin.session import SIDE
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
BATCH = 16
COUNTED = [1.0, HIGH_GRADE_SHARE, *[0.0] * (OUTPUTS - 2)]  # towards cancer
Margins = NDArray[np.float64]
Found = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Way:
    """A network, and the library that runs it."""

    name: str
    folder: Path
    runtime: Runtime


FLOATS = Way("float32", MODEL_FOLDER, Runtime.ONNX)
INTEGERS = Way("8 bits", INT8_FOLDER, Runtime.ONNX)
OPENVINO = Way("8 bits, OpenVINO", INT8_FOLDER, Runtime.OPENVINO)
WAYS = (FLOATS, INTEGERS, OPENVINO)
PAIRS = ((FLOATS, INTEGERS), (FLOATS, OPENVINO), (INTEGERS, OPENVINO))


def compared(every: Sequence[HeldOut]) -> Found:
    """All four members together, which is what is served; and one member a tile, out of fold."""
    known = np.array([label for each in every for label in each.labels]) != COMPLEX
    truth = np.array([label in CANCERS for each in every for label in each.labels])[known]
    found = {}
    for kind, margins in (("all four members", together), ("out of fold", out_of_fold)):
        by = {way: margins(every, way)[known] for way in WAYS}
        for pair in PAIRS:
            name = f"{kind}: {pair[0].name} → {pair[1].name}"
            found[name] = agreement([by[way] for way in pair], truth, pair)
    return found


def out_of_fold(every: Sequence[HeldOut], way: Way) -> Margins:
    """Each tile's by the member that never saw it."""
    of = openvino_members if way.runtime is Runtime.OPENVINO else onnx_members
    return class_margin(np.concatenate([of(each, way) for each in every]), COUNTED)


def onnx_members(tiles: HeldOut, way: Way) -> NDArray[np.float32]:
    return shipped.out_of_fold(tiles, SHIFTS[NONE], f"{way.name}, {tiles.source}", way.folder)


def openvino_members(tiles: HeldOut, way: Way) -> NDArray[np.float32]:
    """The same through OpenVINO, which computes all members of eight tiles at once."""
    import openvino

    from healer.engines.builtin.openvino_session import MOST_TOGETHER, infer

    core, size = openvino.Core(), MOST_TOGETHER
    model = core.read_model(shipped.members_apart(way.folder).SerializeToString())
    model.reshape([size, 3, SIDE, SIDE])
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in compiled.outputs]
    request = compiled.create_infer_request()
    parts = []
    for start in track(range(0, len(tiles.pixels), size), f"{way.name}, {tiles.source}"):
        squares = [network_input(pixels) for pixels in tiles.pixels[start : start + size]]
        given = infer(request, squares, names)
        scores = np.stack([given[name] for name in names])
        parts.append(scores[tiles.members[start : start + size], np.arange(len(squares))])
    return np.concatenate(parts)


def together(every: Sequence[HeldOut], way: Way) -> Margins:
    """Of the four members together, as they are served."""
    engine = BuiltinEngine(1, way.folder, runtime=way.runtime)
    tiles = [Tile(pixels) for each in every for pixels in each.pixels]
    batches = [tiles[at : at + BATCH] for at in range(0, len(tiles), BATCH)]
    found = [each.margin for batch in track(batches, way.name) for each in engine.score(batch)]
    engine.close()
    return np.array(found)


def agreement(
    margins: Sequence[Margins], truth: NDArray[np.bool_], ways: Sequence[Way] = PAIRS[0]
) -> dict[str, float]:
    """Of two ways' margins of the same tiles."""
    before, after = (verdicts(*each) for each in zip(margins, ways, strict=True))
    moved = np.abs(margins[0] - margins[1])
    return {
        "tiles": len(truth),
        "same verdict, %": round(100 * float((before == after).mean()), 2),
        "yes became no": int(((before > 0) & (after < 0)).sum()),
        "no became yes": int(((before < 0) & (after > 0)).sum()),
        "AUROC before": round(float(roc_auc_score(truth, margins[0])), 5),
        "AUROC after": round(float(roc_auc_score(truth, margins[1])), 5),
        "median shift of the margin": round(float(np.median(moved)), 3),
        "largest": round(float(moved.max()), 2),
    }


def verdicts(of: Margins, way: Way) -> NDArray[np.int64]:
    """1 for yes, -1 for no, 0 for neither, by its own calibration."""
    file = calibration_of(way.folder, way.runtime) / CALIBRATION_FILE
    by = read_calibration(file, Calibration)
    found = np.array([by.probability(margin) for margin in of])
    return np.where(found >= by.upper, 1, np.where(found <= by.lower, -1, 0))


def write(found: Found) -> None:
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    heads = list(next(iter(found.values())))
    rows = [[name, *(f"{row[head]:,}" for head in heads)] for name, row in found.items()]
    lines = [["", *heads], ["---"] * (len(heads) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
