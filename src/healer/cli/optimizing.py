"""Converting: optimize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.speech import settings_with, spoken_errors
from healer.engines.openvino.conversion_record import CONVERSION_FOLDER, Weights
from healer.errors import ExtraNotInstalled


def optimize(
    model_dir: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL_DIR", help="A finished download (MODEL_DIR)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: openvino in MODEL_DIR.")
    ] = None,
    weights: Annotated[
        Weights, typer.Option(help="int4 is smaller, and further from float32.")
    ] = "int8",
    tiles: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Verify on tiles from here instead of drawn ones."),
    ] = None,
) -> None:
    """Convert MedGemma for fast answers on a CPU, and verify it against float32."""
    with spoken_errors():
        try:
            from healer.commands.optimize import optimize as run
        except ModuleNotFoundError as missing:
            extra = "openvino,medgemma"
            raise ExtraNotInstalled("openvino", extra, str(missing)) from None
        settings = settings_with(model_dir=model_dir)
        source = settings.model_dir
        run(settings, source, out or source / CONVERSION_FOLDER, weights, tiles)
