"""`healer optimize`: a download into a folder that the OpenVINO engine serves, verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healer.conversion.convert import convert
from healer.conversion.describe import known_samples
from healer.conversion.request import ConversionRequest, OnConversionProgress, Sample
from healer.engines.openvino.conversion_record import Converted, Parity, Weights
from healer.errors import FileNotReadable
from healer.images.decode import decode
from healer.outcomes import find_images
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.settings.loading import Settings

GIB = 1024**3
MOST_TILES = 4  # float32 takes a minute or more a tile
STAGES = {
    "vision": "Vision, layers",
    "language": "Language, layers",
    "float32": "Reference in float32, tiles",
    "converted": "Conversion, tiles",
}


def optimize(
    settings: Settings, source: Path, out: Path, weights: Weights, tiles: Path | None
) -> Converted:
    """Converts, verifies, prints both; raises what `healer.conversion.convert` does."""
    samples = samples_of(tiles, settings) if tiles else known_samples()
    console = Console(stderr=True, highlight=False)
    with bars(console) as watch:
        made = convert(ConversionRequest(source, out, COLORECTAL_CANCER, samples, weights, watch))
    show(made.parity)
    console = Console(highlight=False, soft_wrap=True)
    kinds = f"vision {made.precision.vision}, language {made.precision.language}"
    console.print(f"{out}: {made.source.model_id}, {kinds}, {made.size / GIB:.2f} GiB")
    return made


def samples_of(folder: Path, settings: Settings) -> tuple[Sample, ...]:
    """At most MOST_TILES of the pictures at or below `folder`, evenly spread."""
    files = list(find_images([folder]))
    if not files:
        raise FileNotReadable(f"no image was found in {folder}")
    step = max(1, -(-len(files) // MOST_TILES))
    return tuple(
        Sample(file.name, decode(file.read_bytes(), max_pixels=settings.max_pixels))
        for file in files[::step]
    )


@contextmanager
def bars(console: Console) -> Iterator[OnConversionProgress]:
    """A bar a stage; a line for each that is done where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    terminal = console.is_terminal
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not terminal
    ) as progress:
        tasks = {stage: progress.add_task(title, start=False) for stage, title in STAGES.items()}

        def watch(stage: str, done: int, total: int) -> None:
            progress.start_task(tasks[stage])
            progress.update(tasks[stage], completed=done, total=total)
            if not terminal and done == total:
                console.print(f"{STAGES[stage]}: {total} of {total}")

        yield watch


def show(parity: Parity) -> None:
    table = Table(
        "Tile",
        "Margin in float32",
        "Converted",
        "Shift",
        "Divergence (nats)",
        "Same token",
        "Regret (nats)",
        title="Against float32",
        caption=(
            f"Allowed: shift {parity.tolerance.shift:g}, divergence "
            f"{parity.tolerance.divergence:g}, regret {parity.tolerance.regret:g}"
        ),
    )
    for tile in parity.tiles:
        table.add_row(
            tile.tile,
            f"{tile.reference_margin:+.4f}",
            f"{tile.margin:+.4f}",
            f"{tile.shift:.4f}",
            f"{tile.divergence:.2e}",
            f"{tile.agreed}/{tile.positions}",
            f"{tile.regret:.4f}",
        )
    Console(highlight=False).print(table)
