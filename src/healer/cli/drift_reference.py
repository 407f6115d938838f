"""The figures of a calibration's tiles, which drift is measured against, in a file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress

from healer.engines.base import EngineInfo
from healer.errors.base import RequestError
from healer.errors.weights import FolderNotWritable
from healer.evaluation.datasets import Dataset, Limits
from healer.files.disk import atomic_write
from healer.quality.gate import Gate
from healer.screening.calibration import GATE_FIGURES, LEAST_TILES, Reference


def of(
    dataset: Dataset,
    info: EngineInfo,
    paths: Sequence[str],
    margins: NDArray[np.float64],
    limits: Limits,
    progress: Progress,
) -> Reference | None:
    """None where there are too few tiles; without the gate's figures where they cannot be read."""
    gate = Gate()
    figures: dict[str, list[float]] = {name: [] for name in GATE_FIGURES}
    for path in progress.track(paths, description="Measuring tiles"):
        with suppress(RequestError):
            measured = gate.assess(dataset.source.tile(path, limits)).figures
            for name in figures.keys() & measured.keys():
                figures[name].append(measured[name])
    return Reference.of(info, dataset.name, margins.tolist(), figures)


def save(reference: Reference | None, place: Path) -> None:
    """One of earlier tiles must not outlive their calibration."""
    if reference is None:
        place.unlink(missing_ok=True)
    else:
        write(reference, place)


def show(reference: Reference | None, place: Path) -> None:
    written = (
        f"{', '.join(reference.figures)} of {reference.tiles:,} tiles, to measure drift against"
        if reference
        else f"not written, because drift needs {LEAST_TILES} tiles to be measured against"
    )
    Console(highlight=False, markup=False, soft_wrap=True).print(f"{place}: {written}")


def write(record: BaseModel, place: Path) -> None:
    """Whole or not at all: a server may be reading it. Raises FolderNotWritable."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(place) as stream:
            stream.write(f"{record.model_dump_json(indent=1)}\n".encode())
    except OSError as error:
        raise FolderNotWritable(str(place.parent), error.strerror or "unknown") from None
