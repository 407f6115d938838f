"""Errors as sentences and exit codes, and settings with options on top."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from healer.display import printable
from healer.errors.base import HealerError
from healer.settings.loading import Settings, load_settings

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
    return load_settings(**{name: value for name, value in options.items() if value is not None})
