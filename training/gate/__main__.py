"""`python -m training.gate COMMAND`: fit the input gate, or measure what it refuses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import healer.quality.gate as shipped
from healer.images.tile import Tile
from training.data import default_folder
from training.gate import examples, fit, head, measure
from training.gate.pictures import pictures_in
from training.gate.table import EVERY_SEVENTH, Table, build

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Data = Annotated[Path, typer.Option(help="Folder that holds ebhi-seg/ and samples/.")]
Pictures = Annotated[Path, typer.Option(help="Folder filled by training/gate/pictures.sh.")]
Kept = Annotated[Path, typer.Option(help="Where the measured figures are kept between runs.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that measure.")]
DATA = default_folder().parent
WEIGHTS = Path(shipped.__file__).with_name("gate.npz")
PICTURES, KEPT = Path("runs/pictures"), Path("runs/gate.npz")


def _table(data: Path, pictures: Path, kept: Path, workers: int) -> Table:
    if not kept.is_file():
        build(data, pictures, workers).save(kept)
    return Table.load(kept)


@app.command("fit")
def fit_(
    data: Data = DATA, pictures: Pictures = PICTURES, kept: Kept = KEPT, workers: Workers = 2
) -> None:
    """Measure every example (about 6 minutes, once), fit both heads, write gate.npz."""
    table = _table(data, pictures, kept, workers)
    heads = {"histology": fit.histology_head(table), "stain": fit.stain_head(table)}
    head.store(heads, WEIGHTS)
    typer.echo(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size:,} bytes, {len(table):,} examples")


@app.command("measure")
def measure_(
    data: Data = DATA, pictures: Pictures = PICTURES, kept: Kept = KEPT, workers: Workers = 2
) -> None:
    """Print the tables of docs/gate.md."""
    table = _table(data, pictures, kept, workers)
    real_tiles(data)
    held_out = {
        "source unseen": measure.refused(table, measure.held_out(table, measure.by_source(table))),
        "kind unseen": measure.refused(table, measure.held_out(table, measure.by_origin(table))),
    }
    for title, inside, key in (
        ("Not histology, in short: refused where", ~table.histology, measure.family),
        ("Not histology: refused where", ~table.histology, measure.by_kind),
        ("Histology: refused where", table.histology, measure.by_part),
    ):
        verdicts = {name: verdict[inside] for name, verdict in held_out.items()}
        _print(title, list(verdicts), measure.rows_of(table.take(inside), key, verdicts))
    left_out = [
        (name, len(tried), [float(measure.refused(tried, score).mean())])
        for name, tried, score in measure.other_laboratory(table)
    ]
    _print("Histology of a laboratory left out", ["refused"], left_out)
    perturbations(data)
    speed()


@app.command("try")
def try_(folder: Annotated[Path, typer.Argument(help="Pictures, none of them histology.")]) -> None:
    """How many of other pictures are refused, and which are not."""
    gate, passed, found = shipped.Gate(), [], pictures_in(folder)
    for name, pixels in found:
        if gate.assess(Tile(pixels)).passed:
            passed.append(name)
    typer.echo(f"{len(found) - len(passed)} of {len(found)} refused; passed: {passed}")


def real_tiles(data: Path) -> None:
    """The gate as it ships, on all of the real tiles."""
    gate = shipped.Gate()
    rows = []
    for name, tiles in (
        ("EBHI-Seg", examples.ebhi(data / "ebhi-seg")),
        ("samples of tissue", [t for t in examples.samples(data / "samples") if t.histology]),
        (
            "samples of bare glass",
            [t for t in examples.samples(data / "samples") if not t.histology],
        ),
    ):
        verdicts = [not gate.assess(Tile(tile.pixels)).passed for tile in tiles]
        rows.append((name, len(tiles), [float(np.mean(verdicts))]))
    _print("As shipped (tiles it was fitted on)", ["refused"], rows)


def perturbations(data: Path) -> None:
    """One change at a time to every seventh tile of EBHI-Seg and to the samples, as shipped."""
    gate = shipped.Gate()
    for name, tiles in (
        ("EBHI-Seg", examples.ebhi(data / "ebhi-seg")[EVERY_SEVENTH]),
        ("samples", [t for t in examples.samples(data / "samples") if t.histology]),
    ):
        found: dict[str, list[bool]] = {}
        for changed in examples.perturbed(tiles):
            refused = not gate.assess(Tile(changed.pixels)).passed
            found.setdefault(changed.kind, []).append(refused)
        rows = [(kind, len(v), [float(np.mean(v))]) for kind, v in found.items()]
        _print(f"{name}, one change at a time", ["refused"], rows)


def speed() -> None:
    gate, random = shipped.Gate(), np.random.default_rng(0)
    rows = []
    for side in (224, 512, 1024, 4096):
        tile = Tile(random.integers(0, 256, (side, side, 3), dtype=np.uint8))
        times = []
        for _ in range(40):
            started = time.perf_counter()
            gate.assess(tile)
            times.append(time.perf_counter() - started)
        rows.append((f"{side} × {side} px", len(times), [float(np.median(times)) * 1000]))
    _print("Time a tile, median", ["ms"], rows, "{:.1f}")


def _print(
    title: str, columns: list[str], rows: list[tuple[str, int, list[float]]], form: str = "{:.2%}"
) -> None:
    """A table as docs/gate.md has it."""
    typer.echo(
        f"\n| {' | '.join((title, 'number', *columns))} |\n|---|{'--:|' * (len(columns) + 1)}"
    )
    for label, number, values in rows:
        cells = (label, f"{number:,}", *(form.format(value) for value in values))
        typer.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    app()
