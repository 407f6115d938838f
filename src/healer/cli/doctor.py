"""`healer doctor`: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from healer.cli.errors import exit_on_error, settings_with


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print the same as one JSON object instead.")
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="Also measure verdicts, for about a minute.")
    ] = False,
) -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    from healer.cli.doctor_checks import run_checks

    with exit_on_error():
        healthy = run_checks(settings_with(), as_json=json, speed=speed)
    raise typer.Exit(0 if healthy else 1)
