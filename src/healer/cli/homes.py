"""`~` in what is typed: a shell leaves it to us where it does not begin a word (`--out=~/runs`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from healer.settings.names import expanded

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def at_home(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """The command, with `~` replaced in its paths, and in text that can be nothing but a path."""

    @wraps(command)
    def run(*given: Given.args, **options: Given.kwargs) -> Returned:
        replaced: dict[str, Any] = {name: _replaced(each) for name, each in options.items()}
        return command(*given, **replaced)

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
