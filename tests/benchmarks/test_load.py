"""The load benchmark and the soak, each for a moment, and what they conclude."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import typer

pytest.importorskip("aiohttp")

from benchmarks import soak
from benchmarks.load import __main__ as load
from benchmarks.load.client import NOTHING, connected
from benchmarks.load.loops import arrivals
from benchmarks.load.measure import percentiles
from benchmarks.load.process import Use, free_port, healer
from benchmarks.load.report import MIB
from benchmarks.load.tiles import Form, paths
from benchmarks.visitors import last_event

USE = Use(rss=300 * MIB, cpu=1.0, processes=3, threads=17, files=23)


@pytest.fixture
def tiles(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    if not (data_dir / "ebhi-seg" / "index.csv").is_file():
        pytest.skip("no EBHI-Seg tiles here: HEALER_TEST_DATA has none")
    monkeypatch.setenv("HEALER_DECODERS", "0")  # two processes less to start
    return paths(data_dir, 8)


def test_arrivals_are_random_at_the_requested_rate() -> None:
    times = list(arrivals(5.0, 100, 50))
    assert len(times) == pytest.approx(5000, rel=0.05)
    assert all(before < after for before, after in pairwise(times))
    assert times[0] > 5.0
    assert times[-1] < 55.0


def test_percentiles_are_of_the_answers() -> None:
    found = percentiles([each / 100 for each in range(101)])
    assert found == pytest.approx({"p50": 0.5, "p95": 0.95, "p99": 0.99})


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_no_refusal() -> None:
    async with connected(f"http://127.0.0.1:{free_port()}", [Form.of(b"x")]) as client:
        reply = await client.predict()
    assert reply.status == NOTHING
    assert "Connect" in reply.why


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        ('event: verdict\r\ndata: {}\r\n\r\nevent: answer\r\ndata: {"verdict": "no"}', "answer"),
        ('event: problem\ndata: {"status": 504, "code": "late"}\n\n', "504 late"),
        ("event: verdict\ndata: {}\n\n", "a stream that ends with 'event: verdict'"),
    ],
)
def test_what_a_stream_came_to(stream: str, outcome: str) -> None:
    assert last_event(stream) == outcome


def soaked(**changes: int) -> soak.Soak:
    samples = [(float(second), USE.rss) for second in range(600)]
    outcomes = {"plain": Counter({"answer": 5, "429 queue_full": 2, "503 shutting_down": 1})}
    return soak.Soak(50, 600, outcomes, samples, USE, replace(USE, **changes))


def test_a_soak_without_fault() -> None:
    assert soaked().faults() == []


@pytest.mark.parametrize("name", ["files", "threads", "processes"])
def test_a_soak_that_leaks(name: str) -> None:
    (fault,) = soaked(**{name: getattr(USE, name) + 5}).faults()
    assert name in fault


def test_a_soak_whose_memory_grows() -> None:
    done = soaked()
    done.samples = [(second, int(size + second * MIB / 6)) for second, size in done.samples]
    assert done.slope == pytest.approx(10 * MIB, rel=0.001)
    (fault,) = done.faults()
    assert "memory grew" in fault


@pytest.mark.parametrize("outcome", ["500 internal_error", "504 late", "ServerDisconnectedError: "])
def test_a_soak_with_an_outcome_that_must_not_be(outcome: str) -> None:
    done = soaked()
    done.outcomes["events"] = Counter({outcome: 1})
    assert done.faults() == [f"1 × {outcome}"]


@pytest.mark.usefixtures("tiles")
@pytest.mark.slow
def test_the_load_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        load.main(
            seconds=0.3,
            engine="builtin",
            clients=2,
            times="10",
            tiles=8,
            replicas="1",
            litserve_python=None,
            output=tmp_path,
        )
    assert ended.value.exit_code == 0, capsys.readouterr().out
    rows = json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))["rows"]
    assert [row["load"].split(",")[0] for row in rows] == ["capacity", "closed 10×", "open 10×"]
    assert all(row["answered"] > 0 and row["other"] == 0 for row in rows)
    assert (tmp_path / "load.png").stat().st_size > 0


@pytest.mark.slow
def test_the_soak_runs(tiles: list[Path]) -> None:
    pictures = [tile.read_bytes() for tile in tiles]
    with healer("builtin") as server:
        done = asyncio.run(soak.soak(server, pictures, 0.3))
    soak.show(done)
    codes = {code for codes in done.outcomes.values() for code in codes}
    assert all(soak.FINE.fullmatch(code) for code in codes)
    assert done.start is not None
    assert done.end is not None
    assert done.end.processes == done.start.processes
