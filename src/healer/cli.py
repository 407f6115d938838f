"""The command line: `healer serve | predict | eval | calibrate | download | doctor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from healer import __version__
from healer.config import Settings, load_settings
from healer.errors import ExtraNotInstalled, HealerError
from healer.evaluation import needs_extra
from healer.notice import NOTICE

app = typer.Typer(
    help=f"Colorectal-cancer screening questions, answered from H&E tiles. {NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
complaints = Console(stderr=True, highlight=False, soft_wrap=True)

EngineOption = Annotated[
    str | None, typer.Option("--engine", help="auto, builtin or medgemma (HEALER_ENGINE).")
]

DATASET_HELP = "A folder, CSV index, archive or .npz, or a known name such as crc-val-he-7k."


@contextmanager
def spoken_errors() -> Iterator[None]:
    """An error of ours becomes its sentence and its exit code."""
    try:
        yield
    except HealerError as error:
        complaints.print(f"[bold red]{error.title}.[/] ", end="")
        complaints.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_with(**chosen: object) -> Settings:
    return load_settings(**{name: value for name, value in chosen.items() if value is not None})


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"healer {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reads settings from the environment and from .env; options win."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on (HEALER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one (PORT).")] = None,
    engine: EngineOption = None,
) -> None:
    """Serve the page and the HTTP API."""
    from healer.commands.serve import serve as run

    with spoken_errors():
        run(settings_with(host=host, port=port, engine=engine))


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Tiles, or folders.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    engine: EngineOption = None,
    gate: Annotated[
        str | None, typer.Option(help="refuse, warn or off: pictures that are no H&E field.")
    ] = None,
) -> None:
    """Answer for image files; folders are walked."""
    from healer.commands.predict import predict as run

    with spoken_errors():
        all_answered = run(settings_with(engine=engine, gate=gate), paths, as_json=json)
    raise typer.Exit(0 if all_answered else 1)


Wanted = Annotated[str, typer.Argument(metavar="DATASET", help=DATASET_HELP)]
YesOption = Annotated[
    list[str] | None, typer.Option("--yes", help="A class that is cancer; every other is then no.")
]
IgnoreOption = Annotated[list[str] | None, typer.Option("--ignore", help="A class to leave out.")]
DownloadOption = Annotated[
    bool, typer.Option("--download", help="Fetch a known dataset that is not there yet.")
]
DataOption = Annotated[
    Path, typer.Option("--data", help="Where fetched and unpacked datasets are kept.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most this many tiles, evenly spread.")
]
AnswersOption = Annotated[
    Path | None,
    typer.Option("--answers", help="Take margins from this CSV instead of asking the engine."),
]
InfoOption = Annotated[
    Path | None,
    typer.Option("--info", help="With --answers: results.json of the engine they came from."),
]
CalibrationOption = Annotated[
    str | None, typer.Option("--calibration", help="A file, auto or off (HEALER_CALIBRATION).")
]


@app.command("eval")
def evaluate(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help=DATASET_HELP)] = None,
    engine: EngineOption = None,
    answers: AnswersOption = None,
    info: InfoOption = None,
    calibration: CalibrationOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; one of a stopped run goes on.")
    ] = None,
    limit: LimitOption = None,
    yes: YesOption = None,
    ignore: IgnoreOption = None,
    download: DownloadOption = False,
    data: DataOption = Path("runs/datasets"),
    shifts: Annotated[
        bool, typer.Option("--shifts/--no-shifts", help="Also under JPEG, stain, blur and scale.")
    ] = True,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Also what colour alone can do.")
    ] = True,
    resamples: Annotated[
        int, typer.Option(min=0, help="Resamples of cases behind each 95 % interval.")
    ] = 1000,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A B", help="Compare two folders of results instead."),
    ] = None,
    max_loss: Annotated[
        float,
        typer.Option(
            min=0,
            help="With --compare: exit 1 if B loses more AUROC, or changes a larger share of "
            "verdicts, than this.",
        ),
    ] = 0.02,
) -> None:
    """Measure how good the answers to a dataset are, or compare two such measurements."""
    if (dataset is None) == (compare is None):
        raise typer.BadParameter("give either DATASET or --compare A B")
    within = True
    with spoken_errors():
        with needs_extra():
            from healer.commands.evaluate import Request, compare_runs
            from healer.commands.evaluate import evaluate as run
        if compare:
            within = compare_runs(*compare, max_loss, resamples)
        else:
            request = Request(
                dataset=str(dataset),
                yes=tuple(yes or ()),
                ignore=tuple(ignore or ()),
                download=download,
                data=data,
                limit=limit,
                answers=answers,
                info=info,
                out=out,
                shifts=shifts,
                baseline=baseline,
                resamples=resamples,
            )
            run(settings_with(engine=engine, calibration=calibration), request)
    raise typer.Exit(0 if within else 1)


@app.command()
def calibrate(
    dataset: Wanted,
    engine: EngineOption = None,
    answers: AnswersOption = None,
    info: InfoOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; the default is where Healer looks for MedGemma's."),
    ] = None,
    limit: LimitOption = None,
    yes: YesOption = None,
    ignore: IgnoreOption = None,
    download: DownloadOption = False,
    data: DataOption = Path("runs/datasets"),
) -> None:
    """Fit probabilities and the two cuts on tiles of known answer."""
    with spoken_errors():
        with needs_extra():
            from healer.commands.calibrate import calibrate as run
            from healer.commands.evaluate import Request
        request = Request(
            dataset=dataset,
            yes=tuple(yes or ()),
            ignore=tuple(ignore or ()),
            download=download,
            data=data,
            limit=limit,
            answers=answers,
            info=info,
            shifts=False,
        )
        run(settings_with(engine=engine, calibration="off"), request, out)


@app.command()
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
        typer.Option(min=1, metavar="STEPS", help="Only measure the time and memory of a step."),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="LoRA's rank.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=1e-9, help="At its highest.")] = 2e-4,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training tiles.")] = 1,
    train_tiles: Annotated[int, typer.Option(min=1, help="At most this many.")] = 9000,
    validation_tiles: Annotated[int, typer.Option(min=1, help="At most this many.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles looked at together.")] = 4,
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
    with spoken_errors():
        try:
            from healer.commands.evaluate import Request
            from healer.commands.tune import Order
            from healer.commands.tune import merge as run_merge
            from healer.commands.tune import tune as run
            from healer.tuning.recipe import Recipe
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
        request = Request(
            dataset=str(dataset),
            yes=tuple(yes or ()),
            ignore=tuple(ignore or ()),
            download=download,
            data=data,
            limit=limit,
            resamples=resamples,
        )
        order = Order(request, recipe, out, resume, every, dry_run)
        run(settings_with(), order)


@app.command()
def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())


@app.command()
def doctor() -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    from healer.commands.doctor import doctor as run

    with spoken_errors():
        healthy = run(settings_with())
    raise typer.Exit(0 if healthy else 1)
