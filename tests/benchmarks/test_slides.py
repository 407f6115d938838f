from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("openslide", reason="whole slides need healer[slides]")

import tifffile

from benchmarks.slides import FIELD, TILE, other_pipeline, write_slide


@pytest.mark.parametrize("every", [2, 4])
def test_one_field_in_so_many_is_tissue(data_dir: Path, tmp_path: Path, every: int) -> None:
    assert data_dir
    field = FIELD * TILE
    write_slide(tmp_path / "slide.tiff", 2 * field, every)
    with tifffile.TiffFile(tmp_path / "slide.tiff") as file:
        small = file.pages[4].asarray()
    half = small.shape[0] // 2
    means = [
        small[top : top + half, left : left + half].mean()
        for top in (0, half)
        for left in (0, half)
    ]
    dark = [mean < 225 for mean in means]
    assert dark == ([True, False, False, True] if every == 2 else [True, False, False, False])


def test_another_system_is_asked_in_its_own_interpreter(tmp_path: Path) -> None:
    answer = {"system": "x 1", "tiles": 20, "seconds": 4.0, "busy_ms": 90.5, "memory": 2_000_000}
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho \"$@\" >&2\necho noise\necho '{json.dumps(answer)}'\n")
    python.chmod(0o755)
    assert (
        other_pipeline("x", python, Path("slide.tiff")).row == "| x 1 | 20 | 4.0 | 5.0 | 90 | 2 |"
    )
