"""`healer optimize`: a download into a folder that the OpenVINO engine serves, verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healer.cli.common import exit_on_error, settings_with
from healer.errors.engine import ExtraNotInstalled
from healer.errors.request import FileNotReadable
from healer.settings.loading import Settings

if TYPE_CHECKING:
    from healer.conversion.request import OnConversionProgress, Sample
    from healer.engines.openvino.conversion_record import Parity

GIB = 1024**3
MOST_TILES = 4  # float32 takes a minute or more a tile
STAGES = {
    "vision": "Vision, layers",
    "language": "Language, layers",
    "float32": "Reference in float32, tiles",
    "converted": "Conversion, tiles",
}


def optimize(
    model_dir: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL_DIR", help="A finished download (MODEL_DIR)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: openvino in MODEL_DIR.")
    ] = None,
    weights: Annotated[
        Literal["int8", "int4"], typer.Option(help="int4 is smaller, and further from float32.")
    ] = "int8",
    tiles: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Verify on tiles from here instead of drawn ones."),
    ] = None,
) -> None:
    """Convert MedGemma for fast answers on a CPU, and verify it against float32."""
    with exit_on_error():
        try:
            from healer.conversion.convert import convert
            from healer.conversion.describe import known_samples
            from healer.conversion.request import ConversionRequest
        except ModuleNotFoundError as missing:
            extra = "openvino,medgemma"
            raise ExtraNotInstalled("openvino", extra, str(missing)) from None
        from healer.engines.openvino import CONVERSION_FOLDER
        from healer.questions.colorectal import COLORECTAL_CANCER

        settings = settings_with(model_dir=model_dir)
        source = settings.model_dir
        out = out or source / CONVERSION_FOLDER
        samples = samples_of(tiles, settings) if tiles else known_samples()
        with bars(Console(stderr=True, highlight=False)) as watch:
            request = ConversionRequest(source, out, COLORECTAL_CANCER, samples, weights, watch)
            converted = convert(request)
        show(converted.parity)
        precision, size = converted.precision, converted.size / GIB
        Console(highlight=False, soft_wrap=True).print(
            f"{out}: {converted.source.model_id}, vision {precision.vision}, "
            f"language {precision.language}, {size:.2f} GiB"
        )


def samples_of(folder: Path, settings: Settings) -> tuple[Sample, ...]:
    """At most MOST_TILES of the pictures at or below `folder`, evenly spread."""
    from healer.conversion.request import Sample
    from healer.files.walk import walk
    from healer.images.decode import decode

    files = walk(folder).files
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
