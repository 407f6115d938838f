"""An archive answered while its workers, or the whole run, are killed; and how fast.

    python -m benchmarks.archive --tiles 20000 --kill-worker --kill-run

The tiles are those of EBHI-Seg (--data), repeated as a CSV file lists them. `healer predict`
answers the first of them too (--plain), for its speed, and because every answer must be the same.
Exits with 1 where a tile was lost, repeated or answered otherwise.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import psutil
import pyarrow.parquet as pq
import typer
from rich.console import Console

HEALER = (sys.executable, "-m", "healer", "predict", "--engine", "builtin")
WORKER = "ray::MapWorker"
say = Console(soft_wrap=True, highlight=False).print

Answer = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    folder: Path
    listing: Path
    tiles: list[str]

    def archive(self, output: Path) -> subprocess.Popen[str]:
        arguments = ["--input", str(self.listing), "--output", str(output)]
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        return subprocess.Popen(  # noqa: S603 - our own command
            [*HEALER, *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )

    def wait_for_half(self, output: Path, run: subprocess.Popen[str]) -> None:
        while rows_kept(output) < len(self.tiles) // 2:
            if run.poll() is not None:
                raise typer.Exit(1)
            time.sleep(0.1)


def parts_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.parts")


def rows_kept(output: Path) -> int:
    spans = (part.stem.split("-") for part in parts_of(output).glob("*.parquet"))
    return sum(int(stop) - int(start) for start, stop in spans)


def plain(bench: Bench, count: int) -> dict[str, Answer]:
    """What `healer predict` answers, by tile."""
    paths = bench.tiles[:count]
    started = time.perf_counter()
    command = [*HEALER, "--json", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    seconds = time.perf_counter() - started
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    say(f"healer predict: {len(answers):,} tiles in {seconds:.1f} s, start included:", end=" ")
    say(f"{len(answers) / seconds:.1f} tiles/s")
    return {
        each["path"]: (each.get("verdict"), each.get("probability"), each.get("code"))
        for each in answers
    }


def finish(run: subprocess.Popen[str], started: float) -> None:
    output, _ = run.communicate()
    for line in output.splitlines()[:-1]:
        say(f"  {line}", markup=False)
    seconds = time.perf_counter() - started
    say(f"  exit code {run.returncode}; {seconds:.1f} s, start and merging included")


def with_a_worker_killed(bench: Bench, output: Path) -> None:
    say("One run, a worker of which is killed (SIGKILL) half-way:")
    started = time.perf_counter()
    with bench.archive(output) as run:
        bench.wait_for_half(output, run)
        victim = next(
            process
            for process in psutil.Process(run.pid).children(recursive=True)
            if " ".join(process.cmdline()).startswith(WORKER)
        )
        say(f"  killed process {victim.pid} after {rows_kept(output):,} tiles")
        victim.kill()
        finish(run, started)


def with_the_run_killed(bench: Bench, output: Path) -> None:
    say("A run that is killed (SIGKILL) half-way, and repeated:")
    started = time.perf_counter()
    with bench.archive(output) as run:
        bench.wait_for_half(output, run)
        run.kill()
    say(f"  killed after {time.perf_counter() - started:.1f} s, {rows_kept(output):,} tiles kept")
    started = time.perf_counter()
    with bench.archive(output) as run:
        finish(run, started)


def undisturbed(bench: Bench, output: Path) -> None:
    say("One run:")
    started = time.perf_counter()
    with bench.archive(output) as run:
        finish(run, started)


def check(bench: Bench, output: Path, known: dict[str, Answer]) -> bool:
    """Every row once, of its tile, with the one answer that tile has."""
    columns = ("row", "path", "verdict", "probability", "error_code")
    table = pq.read_table(output, columns=list(columns)).to_pydict()
    once = table["row"] == list(range(len(bench.tiles)))
    named = table["path"] == bench.tiles
    answers = zip(table["verdict"], table["probability"], table["error_code"], strict=True)
    pairs = set(zip(table["path"], answers, strict=True))
    same = len(pairs) == len(set(bench.tiles))
    agree = sum(answer == known[path] for path, answer in pairs if path in known)
    compared = len(known.keys() & set(bench.tiles))
    repeated = sum(count - 1 for count in Counter(table["row"]).values())
    lost = len(set(range(len(bench.tiles))) - set(table["row"]))
    say(f"  {len(table['row']):,} rows of {len(bench.tiles):,}: {lost} lost, {repeated} repeated;")
    say(f"  of {len(set(bench.tiles)):,} different tiles, {len(pairs):,} different answers;")
    say(f"  {agree:,} of {compared:,} as healer predict answers")
    return once and named and same and agree == compared and not parts_of(output).exists()


@contextmanager
def prepared(data: Path, count: int) -> Iterator[Bench]:
    with (data / "index.csv").open(newline="") as index:
        real = [str((data / line["path"]).resolve()) for line in csv.DictReader(index)]
    tiles = list(islice(cycle(real), count))
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        listing = Path(folder) / "tiles.csv"
        listing.write_text("\n".join(["path", *tiles]) + "\n")
        yield Bench(Path(folder), listing, tiles)


def main(
    tiles: Annotated[int, typer.Option(min=256)] = 20_000,
    plain_tiles: Annotated[int, typer.Option("--plain", min=1)] = 2_000,
    kill_worker: Annotated[bool, typer.Option("--kill-worker")] = False,
    kill_run: Annotated[bool, typer.Option("--kill-run")] = False,
    data: Annotated[Path, typer.Option()] = Path("../shared/data/ebhi-seg"),
) -> None:
    runs = [with_a_worker_killed] * kill_worker + [with_the_run_killed] * kill_run
    with prepared(data, tiles) as bench:
        known = plain(bench, plain_tiles)
        good = True
        for number, run in enumerate(runs or [undisturbed]):
            output = bench.folder / f"answers-{number}.parquet"
            run(bench, output)
            good &= check(bench, output, known)
    raise typer.Exit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
