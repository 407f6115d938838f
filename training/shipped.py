"""Class probabilities out of fold, from the four networks that ship.

The four networks in `model.onnx` are the cross-validation's, so each tile has one among them that
never saw its case, or its group of Kather 2016's tiles. Everything published of version 4 follows
from these probabilities; what ships is what was measured.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper
from rich.progress import track

from healer.engines.builtin.engine import MODEL_FOLDER, NETWORK, network_input
from healer.evaluation.shifts import SHIFTS
from training import augment, crossval
from training.data import LABELS, Tiles
from training.kather import OUTPUTS, TISSUES, KatherTiles

HERE = Path(__file__).parent
CLASS_ANSWERS = HERE / "class-answers.csv"
COLUMNS = (*LABELS, *TISSUES)
HEADER = ("source", "path", "label", "case_id", "shift", *COLUMNS)
EBHI_SEG, KATHER_2016 = "ebhi-seg", "kather2016"
# Beside the fixed shifts: every tile in another random laboratory, as training imagines them.
LABORATORIES = ("laboratory-1", "laboratory-2")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class HeldOut:
    """Tiles of one source, and of each the member that never saw it."""

    source: str
    paths: Sequence[str]
    labels: Sequence[str]
    cases: Sequence[str]
    pixels: Sequence[Pixels]
    members: NDArray[np.int64]


def of_ebhi(tiles: Tiles) -> HeldOut:
    labels = [LABELS[label] for label in tiles.labels]
    cases = tiles.cases.tolist()
    return HeldOut(
        EBHI_SEG, tiles.paths.tolist(), labels, cases, list(tiles.pixels), unseen_by(tiles)
    )


def of_kather(tiles: KatherTiles) -> HeldOut:
    cases = [f"group {group}" for group in tiles.groups]
    return HeldOut(
        KATHER_2016,
        tiles.paths.tolist(),
        tiles.labels.tolist(),
        cases,
        list(tiles.pixels),
        tiles.folds,
    )


def unseen_by(tiles: Tiles) -> NDArray[np.int64]:
    """For each tile the member that never saw its case."""
    found = np.empty(len(tiles), np.int64)
    for member in crossval.members(1):
        _, rows = crossval.rows_of(tiles, member)
        found[rows] = member.fold
    return found


def members_apart(folder: Path = MODEL_FOLDER) -> onnx.ModelProto:
    """Outputs, in the order of the members: their log-probabilities (n, 11)."""
    model = onnx.load(folder / NETWORK)
    # A member's last step gives its scores.
    ends: dict[str, str] = {}
    for node in model.graph.node:
        if node.name.startswith("/members."):
            ends[node.name.split("/")[1]] = node.output[0]
    del model.graph.output[:]
    outputs = (ends[name] for name in sorted(ends))
    model.graph.output.extend(helper.make_empty_tensor_value_info(each) for each in outputs)
    return model


def session(folder: Path = MODEL_FOLDER) -> onnxruntime.InferenceSession:
    """Of `members_apart`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        members_apart(folder).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def one(members: onnxruntime.InferenceSession, inputs: Pixels, member: int) -> NDArray[np.float32]:
    """A member's log-probabilities (1, 11) of what `network_input` gave; the others are not run."""
    only = onnxruntime.RunOptions()
    only.only_execute_path_to_fetches = True
    name = members.get_outputs()[member].name
    found: NDArray[np.float32] = members.run([name], {"pixels": inputs[None]}, only)[0]
    return found


def changes() -> dict[str, Callable[[Pixels], Pixels]]:
    return {**SHIFTS, **{name: laboratory(at) for at, name in enumerate(LABORATORIES)}}


def laboratory(number: int) -> Callable[[Pixels], Pixels]:
    """Another stain, camera, focus and compression for every tile, the same every time."""

    def change(pixels: Pixels) -> Pixels:
        source = torch.Generator().manual_seed(int(pixels.sum()) + number)
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        changed = augment.augment(x, source)[0].permute(1, 2, 0)
        return np.asarray((changed * 255).round().byte().numpy())

    return change


def out_of_fold(
    tiles: HeldOut, change: Callable[[Pixels], Pixels], title: str, folder: Path = MODEL_FOLDER
) -> NDArray[np.float32]:
    """Log-probabilities (n, 11) of changed tiles, each by the member that never saw it."""
    members = session(folder)
    found = np.empty((len(tiles.paths), OUTPUTS), np.float32)
    for at, pixels in enumerate(track(tiles.pixels, title)):
        found[at] = one(members, network_input(change(pixels)), int(tiles.members[at]))[0]
    return found


def write(
    every: Sequence[HeldOut], file: Path | None = None
) -> dict[tuple[str, str], NDArray[np.float32]]:
    """Class probabilities of every tile under every change, into a file; returns the scores by
    source and change."""
    scores = {}
    with (file or CLASS_ANSWERS).open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(HEADER)
        for tiles in every:
            for name, change in changes().items():
                found = out_of_fold(tiles, change, f"{tiles.source}, {name}")
                scores[tiles.source, name] = found
                for about, shares in zip(
                    zip(tiles.paths, tiles.labels, tiles.cases, strict=True),
                    np.exp(found),
                    strict=True,
                ):
                    row = (*about, name, *(f"{share:.4f}" for share in shares))
                    rows.writerow([tiles.source, *row])
    return scores
