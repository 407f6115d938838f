"""What commands share: options, `~` in paths, errors as exit codes, settings with options on top.

A shell leaves `~` to us where it does not begin a word (`--out=~/runs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console

from healer.display import printable
from healer.errors.base import HealerError, InvalidSettings
from healer.settings.loading import Settings, load_settings, variable_of
from healer.settings.names import expanded

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="auto, builtin, medgemma or openvino (HEALER_ENGINE)."),
]
DATASET_HELP = "A folder, CSV index, archive or .npz, or a known name such as crc-val-he-7k."
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help=DATASET_HELP)]
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
    typer.Option(
        "--answers", help="Take margins from this CSV instead of scoring with the engine."
    ),
]
InfoOption = Annotated[
    Path | None,
    typer.Option("--info", help="With --answers: results.json of the engine they came from."),
]
SlidesOption = Annotated[
    Path | None,
    typer.Option(
        "--slides",
        metavar="DIR",
        help="DATASET is a list of slides with labels, or a published set of slides by its name; "
        "healer slide --out DIR has answered them.",
    ),
]
CalibrationOption = Annotated[
    str | None, typer.Option("--calibration", help="A file, auto or off (HEALER_CALIBRATION).")
]
ImagesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE...", help="Tiles, or folders; - is one picture from standard input."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Below each row, the sentences that belong to it.")
]
CsvOption = Annotated[
    str | None,
    typer.Option("--csv", metavar="FILE", help="Also write a CSV file; - prints it instead."),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Only the answers; with --csv FILE, nothing is printed."),
]

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def expand_paths(command: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """The command, with `~` replaced in its paths, and in text that can be nothing but a path."""

    @wraps(command)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> Returned:
        replaced: dict[str, Any] = {name: _replaced(value) for name, value in options.items()}
        return command(*arguments, **replaced)

    return run


def _replaced(value: Any) -> Any:  # noqa: ANN401 - whatever an option holds
    if isinstance(value, list | tuple):
        return type(value)(map(_replaced, value))
    if isinstance(value, str) and value.startswith("~/"):
        return str(_replaced(Path(value)))
    return _expanded(value) if isinstance(value, Path) else value


def _expanded(path: Path) -> Path:
    """A file may be called `~$report.tif` too."""
    try:
        return expanded(path)
    except ValueError:
        return path


stderr = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print a HealerError as its sentence, and exit with its code."""
    try:
        yield
    except HealerError as error:
        stderr.print(f"[bold red]{error.title}.[/] ", end="")
        stderr.print(printable(str(error)), markup=False)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_with(**options: object) -> Settings:
    """Raises InvalidSettings, which names the option where one was given, else the variable."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return load_settings(**given)
    except InvalidSettings as error:
        named = {variable_of(name): f"--{name.replace('_', '-')}" for name in given}
        raise InvalidSettings(named.get(error.variable, error.variable), error.reason) from None
