"""`healer slide --ray-address` on real Ray processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

pytest.importorskip("ray.data", reason="clusters need healer[ray]")
pytest.importorskip("openslide", reason="whole slides need healer[slides]")

from healer.cli import app
from tests.batch.ray_head import Cluster
from tests.cli.test_slide import slide_file

ANSWERED = ("verdict", "probability", "scores", "regions", "thresholds", "model", "second_answer")
run = CliRunner().invoke


@pytest.fixture
def slides(data_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    slide_file(data_dir, folder / "tumour.tiff", "adenocarcinoma")
    slide_file(data_dir, folder / "normal.tiff", "normal")
    return folder


def tiles_of(slide: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(slide / "tiles.parquet").to_pylist()
    places = [(row["x"], row["y"]) for row in rows]
    assert len(places) == len(set(places))
    return rows


def answer_of(slide: Path) -> dict[str, Any]:
    document = json.loads((slide / "slide.json").read_text(encoding="utf-8"))
    return {name: document.get(name) for name in ANSWERED}


@pytest.mark.slow
def test_workers_that_die_change_no_answer_and_cost_no_tile(
    slides: Path, tmp_path: Path, cluster: Cluster
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    done = run(app, ["slide", str(slides), "--out", str(here), "--quiet"])
    assert done.exit_code == 0, done.output
    poisoned = tiles_of(here / "normal")[1]

    place = [str(poisoned["x"]), str(poisoned["y"])]
    printed = cluster.run("tests.batch.mortal_slides", str(slides), str(there), *place)
    assert (tmp_path / "seen").exists()  # a worker died
    assert "1 yes" in printed
    assert tiles_of(there / "tumour") == tiles_of(here / "tumour")
    assert answer_of(there / "tumour") == answer_of(here / "tumour")
    before, after = tiles_of(here / "normal"), tiles_of(there / "normal")
    assert len(before) == len(after)
    changed = [row for row, other in zip(after, before, strict=True) if row != other]
    assert [row["error_code"] for row in changed] == ["tile_not_answered"]
    assert [(row["x"], row["y"]) for row in changed] == [(poisoned["x"], poisoned["y"])]


def test_no_cluster_at_the_address_is_said_before_any_slide(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(app, ["slide", str(slides), "--out", str(out), "--ray-address", "127.0.0.1:1"])
    assert done.exit_code == 86
    assert "at 127.0.0.1:1" in done.output
    assert list(out.iterdir()) == []
