"""`healer download`."""

from __future__ import annotations

import typer


def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())
