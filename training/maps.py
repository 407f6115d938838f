"""What the frozen backbones make of every view, kept under `runs/` so that heads train in minutes.

A chunk of views is drawn from its own seed and written as one file: a stopped run goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import nn

from healer.engines.builtin.engine import network_input
from healer.evaluation.shifts import SHIFTS
from training import mix
from training.backbone import Backbone, restore, version_3
from training.export import traced
from training.mix import Sources
from training.network import Network, laid_out

CHUNK, CHUNKS = 512, 68
EXCHANGED_FROM = 34  # chunks from here on take each other's colours: `levers` alone draws them
SEED = 4000
BATCH = 8


@dataclass(frozen=True)
class Maps:
    """`deep` float16 (n, 192, 10, 10) and `shallow` float16 (n, 80), by one network."""

    deep: NDArray[np.float16]
    shallow: NDArray[np.float16]


class Backbones:
    """Of the four networks, through ONNX Runtime on one thread."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._sessions = [_session(Backbone(network)) for network in networks]

    def __len__(self) -> int:
        return len(self._sessions)

    def one(self, pixels: NDArray[np.uint8], member: int) -> Maps:
        parts = [
            self._sessions[member].run(
                ["deep", "shallow"], {"pixels": pixels[start : start + BATCH]}
            )
            for start in range(0, len(pixels), BATCH)
        ]
        deep, shallow = (
            np.concatenate(each).astype(np.float16) for each in zip(*parts, strict=True)
        )
        return Maps(deep, shallow)


def _session(backbone: nn.Module) -> onnxruntime.InferenceSession:
    model = traced(
        laid_out(backbone.eval(), torch.contiguous_format), ("deep", "middle", "shallow")
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def chunk_file(runs: Path, chunk: int) -> Path:
    return runs / "views" / f"{chunk:03d}.npz"


def write_views(source: Sources, runs: Path, chunks: int = EXCHANGED_FROM) -> None:
    """Chunks that are not there yet; several processes may share the work."""
    backbones = Backbones(version_3(restore(runs)))
    (runs / "views").mkdir(parents=True, exist_ok=True)
    for chunk in track(range(chunks), "Views through the backbones"):
        file = chunk_file(runs, chunk)
        if _claimed(file):
            drawn = mix.draw(source, CHUNK, SEED + chunk, exchanged=chunk >= EXCHANGED_FROM)
            arrays: dict[str, NDArray[Any]] = {
                "targets": drawn.targets,
                "kinds": drawn.kinds,
                "folds": drawn.folds,
            }
            for member in range(len(backbones)):
                found = backbones.one(drawn.pixels, member)
                arrays |= {f"deep-{member}": found.deep, f"shallow-{member}": found.shallow}
            _save(file, **arrays)
            claim(file).unlink()


def claim(file: Path) -> Path:
    return file.with_suffix(".claim")


def _claimed(file: Path) -> bool:
    """Whether this process is to make the file. A claim whose process has ended is void."""
    if file.exists():
        return False
    try:
        with claim(file).open("x") as held:
            held.write(str(os.getpid()))
    except FileExistsError:
        if Path("/proc", claim(file).read_text() or "0").exists():
            return False
        claim(file).write_text(str(os.getpid()))
    return not file.exists()


def _save(file: Path, **arrays: NDArray[Any]) -> None:
    part = file.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.rename(file)


def read_views(runs: Path, member: int, *, exchanged: bool = False) -> dict[str, NDArray[Any]]:
    """Every view as one network's backbone sees it: deep, shallow, targets, kinds, folds.

    Those that take each other's colours come last, and only where they are asked for.
    """
    files = sorted((runs / "views").glob("???.npz"))
    parts = [np.load(file) for file in (files if exchanged else files[:EXCHANGED_FROM])]
    views = {
        name: np.concatenate([part[name] for part in parts])
        for name in ("targets", "kinds", "folds")
    }
    for name in ("deep", "shallow"):
        views[name] = np.concatenate([part[f"{name}-{member}"] for part in parts])
    return views


def held_out_file(runs: Path, name: str, shift: str) -> Path:
    return runs / "held-out" / f"{name}-{shift}.npz"


def write_held_out(
    name: str, pixels: Sequence[NDArray[np.uint8]], folds: NDArray[np.int64], runs: Path
) -> None:
    """Tiles under every simulated shift, each by the network that never saw its fold."""
    backbones = Backbones(version_3(restore(runs)))
    (runs / "held-out").mkdir(parents=True, exist_ok=True)
    for shift in track(list(SHIFTS), f"{name} through the backbones"):
        file = held_out_file(runs, name, shift)
        if not file.exists():
            found = [
                backbones.one(network_input(SHIFTS[shift](tile))[None], int(fold))
                for tile, fold in zip(pixels, folds, strict=True)
            ]
            deep = np.concatenate([each.deep for each in found])
            _save(file, deep=deep, shallow=np.concatenate([each.shallow for each in found]))


def read_held_out(runs: Path, name: str) -> Iterator[tuple[str, Maps]]:
    for shift in SHIFTS:
        part = np.load(held_out_file(runs, name, shift))
        yield shift, Maps(part["deep"], part["shallow"])
