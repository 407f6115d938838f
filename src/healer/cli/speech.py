"""How the command line says what went wrong, and reads what was set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from healer.display import printable
from healer.errors import HealerError
from healer.settings.loading import Settings, load_settings

complaints = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def spoken_errors() -> Iterator[None]:
    """An error of ours becomes its sentence and its exit code."""
    try:
        yield
    except HealerError as error:
        complaints.print(f"[bold red]{error.title}.[/] ", end="")
        complaints.print(printable(str(error)), markup=False)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_with(**chosen: object) -> Settings:
    return load_settings(**{name: value for name, value in chosen.items() if value is not None})
