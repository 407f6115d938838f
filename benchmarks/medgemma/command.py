"""`healer bench`: engines and rivals on a random checkpoint, in turn, against the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.builtin import COMMANDS, TileRate, tile_rate
from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.checkpoint.tokenizer import question_of
from benchmarks.medgemma.idle import check, used_by_others
from benchmarks.medgemma.memory_limit import make_memory_limit, parse_size
from benchmarks.medgemma.result import Result
from benchmarks.medgemma.rounds import environment, in_turn, measure
from benchmarks.medgemma.system import BenchmarkOrder
from benchmarks.medgemma.systems import SYSTEMS, SystemEntry, chosen_systems
from benchmarks.medgemma.tables import show, show_paces
from healer.engines.openvino.conversion_record import CONVERSION_FOLDER, is_converted
from healer.errors import FileNotReadable, SystemMissing
from healer.outcomes import find_images

SECOND_QUESTION = "Which tissue is shown in this image? Answer in one sentence."

progress = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for."""

    shape: str
    contenders: str
    out: Path
    checkpoint: Path
    rounds: int = 3
    repeats: int = 2
    tokens: int = 30
    threads: int = 0
    seed: int = 0
    tokenizer: Path | None = None
    memory: str | None = None
    cold: bool = False
    anyway: bool = False


def bench(request: Request) -> Result:
    """Measures, prints and saves. Raises BenchError or InvalidSettings."""
    entries, shape = chosen_systems(request.contenders), SHAPES[request.shape]
    limit = parse_size(request.memory) if request.memory else None
    recipe = Recipe(shape, request.seed, request.tokenizer)
    make_checkpoint(request.checkpoint, recipe)
    if SYSTEMS["healer-openvino"] in entries:
        convert(request.checkpoint)
    others = used_by_others()
    check(others, anyway=request.anyway)
    result = Result(shape, request.checkpoint, request.tokens, ceilings(shape.name), others)
    question, _ = question_of(request.checkpoint, shape.vision.tokens, shape.prompt_tokens)

    def order_of(entry: SystemEntry, number: int) -> BenchmarkOrder:
        return BenchmarkOrder(
            checkpoint=request.checkpoint,
            folder=entry.place(request.checkpoint),
            question=question,
            second_question=SECOND_QUESTION,
            tokens=request.tokens,
            repeats=request.repeats,
            threads=request.threads,
            first_tile=number * (request.repeats + 1),
        )

    if limit is None:
        for run in in_turn(entries, request.rounds, order_of, cold=request.cold):
            progress.print(f"round {run.round + 1}, {run.name}: {run.outcome}", markup=False)
            result.runs.append(run)
    else:
        for entry in entries:
            with make_memory_limit(limit) as caged:
                once = order_of(entry, 0).model_copy(update={"repeats": 1})
                result.caged.append(measure(entry, 0, once, cage=caged))
    show(result, limit)
    for file in result.save(request.out):
        progress.print(f"Saved {file}", markup=False)
    return result


def convert(folder: Path) -> None:
    """In a process of its own, whose memory is gone afterwards. Where it is refused, the contender
    is left out with the reason."""
    if not is_converted(folder / CONVERSION_FOLDER):
        command = [sys.executable, "-m", "healer", "optimize", str(folder)]
        subprocess.run(command, check=False, env=environment(), stdout=subprocess.DEVNULL)  # noqa: S603


def ceilings(shape: str) -> dict[str, object]:
    """In a fresh process too."""
    command = [sys.executable, "-m", "benchmarks.medgemma.ceilings", *["tiny"] * (shape == "tiny")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemMissing("the ceilings", (done.stderr.splitlines() or ["no reason"])[-1])
    found: dict[str, object] = json.loads(done.stdout)
    return found


def bench_builtin(folder: Path, out: Path, *, rounds: int, anyway: bool) -> list[TileRate]:
    """`healer predict` and a ResNet-18 over the same tiles, in turn. Raises BenchError or
    FileNotReadable."""
    images = len(list(find_images([folder])))
    if not images:
        raise FileNotReadable("no image was found there")
    check(used_by_others(), anyway=anyway)
    paces = []
    failures: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name in COMMANDS:
            try:
                paces.append(tile_rate(name, folder, images))
            except SystemMissing as why:
                failures.setdefault(name, []).append(why.reason)
    missing = {
        name: f"{len(reasons)} of {rounds} rounds failed; last, {reasons[-1]}"
        for name, reasons in failures.items()
    }
    show_paces(paces, missing, out)
    return paces
