"""`python -m benchmarks COMMAND …`, from the source's folder."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import LibraryMissing
from healer.cli.common import exit_on_error, expand_paths

app = typer.Typer(
    help="Measure Healer: how fast, how large, how steady; beside other systems.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Modules with a command line of their own; `python -m benchmarks.NAME` is the same.
OTHERS = {
    "archive": "Tiles/s of an archive, while its workers and the run are killed.",
    "attention": "One attention layer: ours, OpenVINO's and torch's.",
    "audit": "Milliseconds that a record of the audit log costs.",
    "cold_start": "Seconds from a process's start to its first answer.",
    "conversion": "Whether `healer optimize` stays within a limit of memory.",
    "costs": "What Healer costs on Cloud Run, by formula.",
    "feedforward": "One feed-forward layer of the language model, each way to compute it.",
    "fuzz": "Damaged pictures and forms, for as long as is wanted.",
    "hostile": "What the service says to hostile pictures, and how long it takes.",
    "isolation": "What decoding pictures in processes of their own costs.",
    "load": "The service under load, and past its capacity.",
    "many_pictures": "1, 8, 32 and 125 pictures in one prompt: seconds of each stage, and memory.",
    "products": "The products of one layer of MedGemma's vision tower, by OpenVINO.",
    "second_model": "Seconds of a slide's patches and draft, by a second model.",
    "slides": "Tiles/s, first map and memory of whole slides of any size.",
    "soak": "The service for minutes, with clients of every kind: leaks and losses.",
    "vision": "MedGemma's vision tower alone: each attention, and images at once.",
}
OwnOptions = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class ShapeName(StrEnum):
    TINY = "tiny"
    MEDGEMMA_4B = "medgemma-4b"


Rounds = Annotated[int, typer.Option(min=1, help="Fresh processes a system.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="For the results.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Measure although others use the cores.")]


@contextmanager
def exit_on_benchmark_error() -> Iterator[None]:
    with exit_on_error():
        try:
            yield
        except ModuleNotFoundError as missing:
            raise LibraryMissing(str(missing)) from None


@app.command()
@expand_paths
def medgemma(
    shape: Annotated[ShapeName, typer.Option(help="Of the random model.")] = ShapeName.MEDGEMMA_4B,
    systems: Annotated[
        str, typer.Option(metavar="A,B,…", help="What is measured; the first is compared with.")
    ] = "all",
    rounds: Rounds = 3,
    repeats: Annotated[int, typer.Option(min=1, help="Answers a process, after the first.")] = 2,
    tokens: Annotated[int, typer.Option(min=2, help="Written after the verdict.")] = 30,
    threads: Annotated[int, typer.Option(min=0, help="0 means all cores.")] = 0,
    out: Out = Path("runs/bench"),
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
    anyway: Anyway = False,
) -> None:
    """Engines and baselines on MedGemma's shape: times, memory, and the machine's floor."""
    with exit_on_benchmark_error():
        from benchmarks.medgemma.command import BenchmarkRequest, benchmark

        benchmark(
            BenchmarkRequest(
                shape=shape.value,
                systems=systems,
                out=out,
                checkpoint=(checkpoint or Path("runs/checkpoints") / shape.value).resolve(),
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


@app.command()
@expand_paths
def builtin(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With tiles.")],
    rounds: Rounds = 3,
    out: Out = Path("runs/bench"),
    anyway: Anyway = False,
) -> None:
    """Tiles/s of the built-in model on your tiles, beside a ResNet-18."""
    with exit_on_benchmark_error():
        from benchmarks.builtin import benchmark

        benchmark(folder, out, rounds=rounds, anyway=anyway)


def run_module(name: str) -> Callable[[typer.Context], None]:
    """A command that hands its arguments on to `benchmarks.NAME`."""

    def run(context: typer.Context) -> None:
        module = f"benchmarks.{name}"
        sys.argv = [module, *context.args]
        with exit_on_benchmark_error():
            runpy.run_module(module, run_name="__main__", alter_sys=True)

    return run


for name, summary in OTHERS.items():
    app.command(
        name.replace("_", "-"), help=summary, context_settings=OwnOptions, add_help_option=False
    )(run_module(name))

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
