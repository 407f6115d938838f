"""How good the answers are: datasets, figures with intervals, reports, and calibrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from healer.errors.evaluation import EvalNotInstalled


@contextmanager
def needs_extra() -> Iterator[None]:
    """Around imports of this package: raises EvalNotInstalled where its libraries are missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise EvalNotInstalled(str(missing)) from None
