"""How the built-in model is made, measured and shipped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from healer.engines.builtin.engine import MODEL_FOLDER
from training import card as model_card
from training import clusters, crossval, data, evaluate, export, second, shipped, speed, wide
from training.fit import Recipe

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()
Data = Annotated[Path, typer.Option(help="Folder of EBHI-Seg: index.csv, tiles, masks.")]
Runs = Annotated[Path, typer.Option(help="Where trained members are kept.")]
Repeats = Annotated[int, typer.Option(min=1, help="Splits into folds, each with its own seeds.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
DATA = data.default_folder()
RUNS = Path("runs")


@app.command("train")
def train_(
    folder: Data = DATA, runs: Runs = RUNS, repeats: Repeats = 1, threads: Threads = 1
) -> None:
    """Train the members that RUNS lacks (20 minutes each on one core); stops and goes on safely."""
    torch.set_num_threads(threads)
    crossval.train(data.load(folder), Recipe(), repeats, runs)


@app.command("evaluate")
def evaluate_(
    folder: Data = DATA, runs: Runs = RUNS, repeats: Repeats = 1, threads: Threads = 1
) -> None:
    """Measure the members on the cases they never saw; writes results.json, answers.csv."""
    torch.set_num_threads(threads)
    results = evaluate.evaluate(data.load(folder), Recipe(), repeats, runs)
    evaluate.write(results)
    console.print(model_card.figures(), markup=False, soft_wrap=True)


@app.command("clusters")
def clusters_(folder: Data = DATA, runs: Runs = RUNS, threads: Threads = 1) -> None:
    """Train with each stain cluster left out (a quarter of an hour each), measure, write the card.

    Needs the members that `train` makes.
    """
    torch.set_num_threads(threads)
    tiles = data.load(folder)
    with crossval.bars() as progress:
        clusters.train(tiles, Recipe(), runs, progress)
    clusters.write(clusters.measure(tiles, Recipe(), runs))
    table = model_card.stain_clusters()
    into_card(table, model_card.BY_STAIN, model_card.BY_STAIN_END)


@app.command("export")
def export_(runs: Runs = RUNS, repeats: Repeats = 1) -> None:
    """Write every member into the package as one ONNX file."""
    recipe, members = Recipe(), crossval.members(repeats)
    config = {**asdict(recipe), "folds": crossval.FOLDS, "seeds": [each.seed for each in members]}
    file = export.write(
        [crossval.read(each, recipe, runs) for each in members], config, MODEL_FOLDER
    )
    console.print(f"{file}: {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)


@app.command("classes")
def classes_(folder: Data = DATA) -> None:
    """Write class probabilities out of fold (class-answers.csv) from the networks that ship."""
    shipped.write(data.load(folder))


@app.command("wide")
def wide_(folder: Data = DATA) -> None:
    """Measure how the networks that ship read wide fields (minutes), and write the card."""
    wide.write(wide.measure(data.load(folder)))
    into_card(wide.table(), wide.BEGIN, wide.END)


@app.command("speed")
def speed_(threads: Threads = 1) -> None:
    """Print milliseconds a tile of the shipped model."""
    for side, (median, slow) in speed.milliseconds(threads).items():
        console.print(f"{side} px: median {median:.1f} ms, 95th percentile {slow:.1f} ms")


@app.command("card")
def card_() -> None:
    """Print the model card's figures and write them into docs/model-card.md."""
    into_card(model_card.figures(), model_card.BEGIN, model_card.END)
    into_card(second.tables(), second.BEGIN, second.END)


def into_card(table: str, begin: str, end: str) -> None:
    text = model_card.CARD.read_text(encoding="utf-8")
    model_card.CARD.write_text(model_card.rendered(text, table, begin, end), encoding="utf-8")
    console.print(table, markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
