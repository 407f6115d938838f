"""How the built-in model is made, measured and shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from healer.engines.builtin import MODEL_FOLDER
from healer.screening.opening import SHIPPED
from training import (
    ablations,
    adapt,
    agreement,
    backbone,
    calibration,
    clusters,
    crossval,
    data,
    evaluate,
    export,
    heads_fit,
    kather,
    laboratories,
    maps,
    mix,
    prevalence,
    quantise,
    second,
    shipped,
    speed,
    stricter,
    unlike,
    unlike_tiles,
    wide,
)
from training import card as model_card
from training.fit import Recipe
from training.shipped import HeldOut

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()
Data = Annotated[Path, typer.Option(help="Folder of EBHI-Seg: index.csv, tiles, masks.")]
Others = Annotated[Path, typer.Option(help="Folder of Kather 2016: index.csv, tiles.")]
Runs = Annotated[Path, typer.Option(help="Where trained members are kept.")]
Repeats = Annotated[int, typer.Option(min=1, help="Splits into folds, each with its own seeds.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
DATA = data.default_folder()
OTHERS = kather.default_folder()
RUNS = Path("runs")


@app.command("train")
def train_(
    folder: Data = DATA, runs: Runs = RUNS, repeats: Repeats = 1, threads: Threads = 1
) -> None:
    """Train the members that RUNS lacks (20 minutes each on one core); stops and goes on safely."""
    torch.set_num_threads(threads)
    crossval.train(data.load(folder), Recipe(), repeats, runs)


@app.command("views")
def views_(
    folder: Data = DATA, others: Others = OTHERS, runs: Runs = RUNS, threads: Threads = 1
) -> None:
    """Draw the views that heads learn from, and what the frozen backbones make of them and of
    every held-out tile (a quarter of an hour on two cores; several processes share the work)."""
    torch.set_num_threads(threads)
    backbone.restore(runs)
    source = mix.sources(data.load(folder), kather.load(others))
    maps.write_held_out("kather", list(source.kather.pixels), source.kather.folds, runs)
    maps.write_held_out("ebhi", list(source.tiles.pixels), source.folds, runs)
    maps.write_views(source, runs)


@app.command("heads")
def heads_(runs: Runs = RUNS, threads: Threads = 1) -> None:
    """Train the heads that RUNS lacks, from `views` (three minutes each on one core)."""
    torch.set_num_threads(threads)
    heads_fit.train(runs)


@app.command("ablations")
def ablations_(
    folder: Data = DATA, others: Others = OTHERS, runs: Runs = RUNS, threads: Threads = 1
) -> None:
    """Train heads with one part left out at a time, measure, and write the card's table."""
    torch.set_num_threads(threads)
    tiles = data.load(folder)
    ablations.measure(tiles, shipped.unseen_by(tiles), kather.load(others), runs)
    into_card(ablations.versions(), ablations.VERSIONS, ablations.VERSIONS_END)
    into_card(ablations.table(), ablations.BEGIN, ablations.END)


@app.command("levers")
def levers_(
    folder: Data = DATA, others: Others = OTHERS, runs: Runs = RUNS, threads: Threads = 1
) -> None:
    """Train heads otherwise than they ship (an hour and a half on one core), measure, write the
    card's table."""
    torch.set_num_threads(threads)
    tiles, away = data.load(folder), kather.load(others)
    maps.write_views(mix.sources(tiles, away), runs, maps.CHUNKS)
    ablations.measure_levers(tiles, shipped.unseen_by(tiles), away, runs)
    table = ablations.table(ablations.LEVER_RESULTS)
    into_card(table, ablations.LEVERS, ablations.LEVERS_END)


@app.command("evaluate")
def evaluate_(folder: Data = DATA, others: Others = OTHERS, threads: Threads = 1) -> None:
    """Measure the networks that ship on what each never saw; writes results.json, answers.csv,
    kather-answers.csv and class-answers.csv."""
    torch.set_num_threads(threads)
    evaluate.write(evaluate.evaluate(data.load(folder), kather.load(others)))
    console.print(model_card.figures(), markup=False, soft_wrap=True)


@app.command("calibrate")
def calibrate_(folder: Data = DATA, others: Others = OTHERS) -> None:
    """Fit the calibration that ships over both sources, from class-answers.csv."""
    written = calibration.write(SHIPPED, [folder, others])
    console.print(f"{SHIPPED.name}: calibration {written.id}", soft_wrap=True)


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
def export_(runs: Runs = RUNS) -> None:
    """Write every member into the package as one ONNX file."""
    config = {
        **asdict(heads_fit.RECIPES[heads_fit.SHIPPED]),
        "folds": kather.FOLDS,
        "seed": heads_fit.SEED,
    }
    file = export.write(heads_fit.members(runs), config, MODEL_FOLDER)
    console.print(f"{file}: {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)


@app.command("quantise")
def quantise_(folder: Data = DATA, others: Others = OTHERS) -> None:
    """Ship the network in 8-bit integers too, and measure how far the two agree (minutes), for the
    card."""
    every = [shipped.of_ebhi(data.load(folder)), shipped.of_kather(kather.load(others))]
    file = quantise.write(every)
    console.print(f"{file}: {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)
    for runtime, made in quantise.calibrate().items():
        console.print(f"{runtime.label}: calibration {made.id}")
    agree(every)


@app.command("agreement")
def agreement_(folder: Data = DATA, others: Others = OTHERS) -> None:
    """Measure how far float32, 8 bits, and 8 bits by OpenVINO agree (minutes), for the card."""
    agree([shipped.of_ebhi(data.load(folder)), shipped.of_kather(kather.load(others))])


def agree(every: Sequence[HeldOut]) -> None:
    found = agreement.compared(every)
    agreement.write(found)
    into_card(agreement.table(found), agreement.BEGIN, agreement.END)


@app.command("wide")
def wide_(folder: Data = DATA) -> None:
    """Measure how the networks that ship read wide fields (minutes), and write the card."""
    wide.write(wide.measure(data.load(folder)))
    into_card(wide.table(), wide.BEGIN, wide.END)


@app.command("unlike")
def unlike_(runs: Runs = RUNS) -> None:
    """Fit how unlike its training tiles a tile is, ship and measure it, and write the card.

    Features are kept under RUNS: a stopped run goes on.
    """
    gaussians, rows = unlike.measure(unlike.known(unlike_tiles.load(), runs))
    file = unlike.ship(gaussians)
    console.print(f"{file}: {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)
    unlike.write(gaussians, rows)
    into_card(unlike.table(), unlike.BEGIN, unlike.END)


@app.command("adapt")
def adapt_() -> None:
    """Measure what refitting without labels would do elsewhere (minutes), and write the card."""
    sources = unlike_tiles.load()
    adapt.write(adapt.measure(adapt.places(sources.home, sources.kather)))
    into_card(adapt.table(), adapt.BEGIN, adapt.END)


@app.command("speed")
def speed_(threads: Threads = 1) -> None:
    """Print milliseconds a tile of the shipped networks, of one and of sixteen at once."""
    for way in agreement.WAYS:
        for (side, together), (median, slow) in speed.milliseconds(way, threads).items():
            console.print(
                f"{way.name}, {side} px, {together} at once: "
                f"median {median:.1f} ms, 95th percentile {slow:.1f} ms"
            )


@app.command("card")
def card_() -> None:
    """Print the model card's figures and write them into docs/model-card.md."""
    into_card(model_card.figures(), model_card.BEGIN, model_card.END)
    into_card(second.tables(), second.BEGIN, second.END)
    laboratories.write()
    into_card(laboratories.tables(), laboratories.BEGIN, laboratories.END)
    into_card(laboratories.shares_table(), laboratories.BY_SHARE, laboratories.BY_SHARE_END)
    into_card(prevalence.table(), prevalence.BEGIN, prevalence.END)
    into_card(stricter.table(), stricter.BEGIN, stricter.END)


@app.command("all")
def all_(threads: Threads = 1) -> None:
    """Version 4 from its data: every command of it, in order."""
    views_(threads=threads)
    heads_(threads=threads)
    export_()
    unlike_()  # an engine refuses that of another network
    evaluate_(threads=threads)
    calibrate_()
    quantise_()
    wide_()
    adapt_()
    ablations_(threads=threads)
    card_()


def into_card(table: str, begin: str, end: str) -> None:
    text = model_card.CARD.read_text(encoding="utf-8")
    model_card.CARD.write_text(model_card.rendered(text, table, begin, end), encoding="utf-8")
    console.print(table, markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
