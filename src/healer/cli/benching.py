"""Measuring speed and memory: bench."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from healer.cli.speech import spoken_errors
from healer.errors import ExtraNotInstalled


class ShapeName(StrEnum):
    TINY = "tiny"
    MEDGEMMA_4B = "medgemma-4b"


def bench(
    shape: Annotated[ShapeName, typer.Option(help="Of the random model.")] = ShapeName.MEDGEMMA_4B,
    contenders: Annotated[
        str, typer.Option(metavar="A,B,…", help="Who is measured; the first is compared with.")
    ] = "all",
    rounds: Annotated[int, typer.Option(min=1, help="Fresh processes a contender.")] = 3,
    repeats: Annotated[int, typer.Option(min=1, help="Answers a process, after the first.")] = 2,
    tokens: Annotated[int, typer.Option(min=2, help="Written after the verdict.")] = 30,
    threads: Annotated[int, typer.Option(min=0, help="0 means all cores.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For the results.")] = Path("runs/bench"),
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Random checkpoint, made once (8.6 GB for 4B)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random weights.")] = 0,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Take a real tokenizer from here.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Once each inside a limit such as 8G; needs root."),
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Drop the model's files from the page cache first.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Measure although others use the cores.")
    ] = False,
    builtin: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Tiles/s of the built-in model on these instead."),
    ] = None,
) -> None:
    """Measure engines and rivals: times, memory, and how far they are from the machine's floor."""
    with spoken_errors():
        if builtin:
            from benchmarks.medgemma.command import bench_builtin

            bench_builtin(builtin, out, rounds=rounds, anyway=anyway)
            return
        place = (checkpoint or Path("runs/checkpoints") / shape.value).resolve()
        try:
            from benchmarks.medgemma.command import Request
            from benchmarks.medgemma.command import bench as run

            run(
                Request(
                    shape=shape.value,
                    contenders=contenders,
                    out=out,
                    checkpoint=place,
                    rounds=rounds,
                    repeats=repeats,
                    tokens=tokens,
                    threads=threads,
                    seed=seed,
                    tokenizer=tokenizer,
                    memory=memory,
                    cold=cold,
                    anyway=anyway,
                )
            )
        except ModuleNotFoundError as missing:
            raise ExtraNotInstalled("bench", "openvino,medgemma", str(missing)) from None
