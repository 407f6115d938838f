"""`healer tune`: its options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from healer.cli.common import (
    DATASET_HELP,
    DataOption,
    DownloadOption,
    IgnoreOption,
    LimitOption,
    YesOption,
    exit_on_error,
    settings_with,
)
from healer.errors.engine import ExtraNotInstalled

NUMBER = re.compile(r"[+-]?\d+")
DRY_RUN = "--dry-run"
DRY_STEPS = 3  # the first only warms up


class TuneCommand(TyperCommand):
    """`--dry-run` needs no number, which Typer cannot express."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own
        return super().parse_args(ctx, with_steps(args))


def with_steps(args: list[str]) -> list[str]:
    """The arguments, with a number behind a `--dry-run` that has none."""
    end = args.index("--") if "--" in args else len(args)
    options = args[: end + 1]
    numbered = [
        f"{DRY_RUN}={DRY_STEPS}" if option == DRY_RUN and not NUMBER.fullmatch(after) else option
        for option, after in zip(options, [*options, ""][1:], strict=True)
    ]
    return [*numbered, *args[end + 1 :]]


def tune(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help=DATASET_HELP)] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, or of the merged model.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    merge: Annotated[
        Path | None,
        typer.Option(metavar="ADAPTER", help="Bake this adapter into MODEL_DIR's model instead."),
    ] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="[STEPS]",
            help=f"Only measure the time and memory of a step, over this many or {DRY_STEPS}.",
        ),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="LoRA's rank.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=1e-9, help="At its highest.")] = 2e-4,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training tiles.")] = 1,
    train_tiles: Annotated[int, typer.Option(min=1, help="At most this many.")] = 9000,
    validation_tiles: Annotated[int, typer.Option(min=1, help="At most this many.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles in a batch.")] = 4,
    accumulation: Annotated[int, typer.Option(min=1, help="Batches to a step.")] = 4,
    balanced: Annotated[bool, typer.Option(help="Draw yes and no equally often.")] = False,
    quantization: Annotated[
        str, typer.Option(help="Frozen weights while training: auto (4bit on CUDA), 4bit or none.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the split, the order and LoRA.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    limit: LimitOption = None,
    yes: YesOption = None,
    ignore: IgnoreOption = None,
    download: DownloadOption = False,
    data: DataOption = Path("runs/datasets"),
    resamples: Annotated[
        int, typer.Option(min=0, help="Resamples of cases behind each 95 % interval.")
    ] = 1000,
) -> None:
    """Fine-tune MedGemma with LoRA, split by case, and measure before and after."""
    if (dataset is None) == (merge is None) or (merge and out is None):
        raise typer.BadParameter("give either DATASET, or --merge ADAPTER and --out FOLDER")
    if quantization not in ("auto", "4bit", "none"):
        raise typer.BadParameter("--quantization is auto, 4bit or none")
    with exit_on_error():
        try:
            from healer.cli.evaluate_run import EvaluationRequest
            from healer.cli.tune_run import TuningRequest
            from healer.cli.tune_run import merge as run_merge
            from healer.cli.tune_run import tune as run
            from healer.tuning.data import Recipe
        except ModuleNotFoundError as missing:
            raise ExtraNotInstalled("medgemma", "tune", str(missing)) from None
        if merge and out:
            run_merge(settings_with(), merge, out)
            return
        recipe = Recipe(
            rank=rank,
            learning_rate=learning_rate,
            epochs=epochs,
            train_tiles=train_tiles,
            validation_tiles=validation_tiles,
            batch_size=batch_size,
            accumulation=accumulation,
            balanced=balanced,
            seed=seed,
            quantization=quantization,
        )
        request = EvaluationRequest(
            dataset=str(dataset),
            yes=tuple(yes or ()),
            ignore=tuple(ignore or ()),
            download=download,
            data=data,
            limit=limit,
            resamples=resamples,
        )
        tuning = TuningRequest(request, recipe, out, resume, every, dry_run)
        run(settings_with(), tuning)
