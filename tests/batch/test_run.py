"""On real Ray processes: workers that die, a run that is killed, one machine and a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from healer.batch.parts import Row
from healer.batch.run import BLOCK
from healer.files.spelling import escaped
from tests.batch.ray_head import Cluster, short_folder, wait_until
from tests.batch.tiles import folder_of, picture

pytest.importorskip("ray.data", reason="archives need healer[ray]")

BLOCKS = 5


def rows_of(output: Path) -> list[Row]:
    rows: list[Row] = pq.read_table(output).to_pylist()
    assert [row["row"] for row in rows] == list(range(len(rows)))
    return rows


@pytest.mark.slow
def test_a_killed_run_goes_on_though_its_workers_die(tmp_path: Path, cluster: Cluster) -> None:
    folder = archive_of(tmp_path / "tiles")
    output, parts = tmp_path / "answers.parquet", tmp_path / "answers.parquet.parts"
    kill_half_way(folder, output, parts)
    finished = len(list(parts.glob("*.parquet")))
    assert 0 < finished < BLOCKS
    assert not output.exists()

    printed = cluster.run("tests.batch.poisoned", str(folder), str(output))
    rows = rows_of(output)
    names = [escaped(path.name) for path in sorted(folder.glob("*.png"))]
    assert [row["path"] for row in rows] == names
    assert names[-1] == r"z\xff.png"
    errors = {row["path"]: row["error_code"] for row in rows if row["error_code"]}
    assert errors == {"bad.png": "not_an_image", "poison.png": "tile_not_answered"}
    assert all(row["verdict"] for row in rows if row["path"] not in errors)
    assert f"{finished * BLOCK:,} were answered before and kept." in printed
    assert f"{len(rows) - finished * BLOCK:,} scored in" in printed
    assert "replaced" in printed
    assert set(tmp_path.iterdir()) == {folder, output}


def archive_of(folder: Path) -> Path:
    """Its last tiles are the bad ones."""
    folder_of(folder, BLOCKS * BLOCK)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "once.png").write_bytes(picture(1))
    (folder / "poison.png").write_bytes(picture(2))
    (folder / "z\udcff.png").write_bytes(picture(3))
    return folder


def kill_half_way(folder: Path, output: Path, parts: Path) -> None:
    """A run on this machine alone."""
    command = [sys.executable, "-m", "healer", "predict", "--engine", "builtin", "--gate", "off"]
    archive = ["--input", str(folder), "--output", str(output)]
    with short_folder() as scratch:
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with subprocess.Popen(
            [*command, *archive], env=environment, stderr=subprocess.DEVNULL
        ) as run:
            wait_until(lambda: any(parts.glob("*.parquet")), run)
            assert is_shut_up(psutil.Process(run.pid))
            family = psutil.Process(run.pid).children(recursive=True)
            run.kill()
        for each in family:
            if each.is_running():
                each.kill()  # some of Ray's take up to a minute to notice
        psutil.wait_procs(family)


def is_shut_up(run: psutil.Process) -> bool:
    """Whether nobody outside this machine can reach any of its sockets."""
    family = [run, *run.children(recursive=True)]
    sockets = [each for process in family for each in process.net_connections("inet")]
    listening = [each for each in sockets if each.status == psutil.CONN_LISTEN]
    assert listening
    reached = {each.laddr.ip.removeprefix("::ffff:") for each in sockets}
    return reached <= {"127.0.0.1", "::1"}
