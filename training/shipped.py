"""Class probabilities out of fold, from the four networks that ship, without training them again.

The four networks in `model.onnx` are the cross-validation's, so each tile has one among them that
never saw its case. Their margins agree with `answers.csv` to what half-precision weights allow.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper
from rich.progress import track

from healer.engines.builtin.engine import MODEL_FOLDER, NETWORK, network_input
from healer.evaluation.shifts import SHIFTS
from training import crossval
from training.data import LABELS, OUTPUTS, Tiles

CLASS_ANSWERS = Path(__file__).parent / "class-answers.csv"
OTHER_LABEL = "other"
COLUMNS = (*LABELS, OTHER_LABEL)


def session(folder: Path = MODEL_FOLDER) -> onnxruntime.InferenceSession:
    """Outputs, in the order of the members: their log-probabilities (n, 7)."""
    model = onnx.load(folder / NETWORK)
    ends = [node.output[0] for node in model.graph.node if node.op_type == "LogSoftmax"][:-1]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(end) for end in ends)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def unseen_by(tiles: Tiles) -> NDArray[np.int64]:
    """For each tile the member that never saw its case."""
    found = np.empty(len(tiles), np.int64)
    for member in crossval.members(1):
        _, rows = crossval.rows_of(tiles, member)
        found[rows] = member.fold
    return found


def one(
    members: onnxruntime.InferenceSession, inputs: NDArray[np.uint8], member: int
) -> NDArray[np.float32]:
    """A member's log-probabilities (1, 7) of what `network_input` gave; the others are not run."""
    only = onnxruntime.RunOptions()
    only.only_execute_path_to_fetches = True
    name = members.get_outputs()[member].name
    found: NDArray[np.float32] = members.run([name], {"pixels": inputs[None]}, only)[0]
    return found


def scores(members: onnxruntime.InferenceSession, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Every member's log-probabilities of one tile: (members, 7)."""
    return np.concatenate(members.run(None, {"pixels": network_input(pixels)[None]}))


def out_of_fold(tiles: Tiles, shift: str) -> NDArray[np.float32]:
    """Log-probabilities (n, 7) by the member that never saw the tile's case."""
    members, mine = session(), unseen_by(tiles)
    found = np.empty((len(tiles), OUTPUTS), np.float32)
    for at, pixels in enumerate(track(tiles.pixels, f"Class probabilities, {shift}")):
        found[at] = scores(members, SHIFTS[shift](pixels))[mine[at]]
    return found


def write(tiles: Tiles, file: Path = CLASS_ANSWERS) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["path", "shift", *COLUMNS])
        for shift in SHIFTS:
            shares = np.exp(out_of_fold(tiles, shift))
            for at, each in enumerate(shares):
                rows.writerow([tiles.paths[at], shift, *(f"{share:.4f}" for share in each)])
