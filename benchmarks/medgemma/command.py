"""`python -m benchmarks medgemma`: engines and baselines in turn, against the machine's floor."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.checkpoint.tokenizer import question_of
from benchmarks.errors import SystemMissing
from benchmarks.idle import check, used_by_others
from benchmarks.medgemma.result import Result
from benchmarks.medgemma.rounds import in_turn, measure
from benchmarks.medgemma.systems import SYSTEMS, RunSpec, SystemEntry, chosen_systems
from benchmarks.medgemma.tables import show
from benchmarks.processes import environment, make_memory_limit, parse_size
from healer.engines.openvino import CONVERSION_FOLDER
from healer.engines.openvino.conversion_record import is_converted

SECOND_QUESTION = "Which tissue is shown in this image? Answer in one sentence."

progress = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """The command line's options."""

    shape: str
    systems: str
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


def benchmark(request: BenchmarkRequest) -> Result:
    """Measures, prints and saves. Raises BenchmarkError or InvalidSettings."""
    entries, shape = chosen_systems(request.systems), SHAPES[request.shape]
    limit = parse_size(request.memory) if request.memory else None
    recipe = Recipe(shape, request.seed, request.tokenizer)
    make_checkpoint(request.checkpoint, recipe)
    if SYSTEMS["healer-openvino"] in entries:
        convert(request.checkpoint)
    others = used_by_others()
    check(others, anyway=request.anyway)
    result = Result(shape, request.checkpoint, request.tokens, ceilings(shape.name), others)
    question, _ = question_of(request.checkpoint, shape.vision.tokens, shape.prompt_tokens)

    def spec_of(entry: SystemEntry, number: int) -> RunSpec:
        return RunSpec(
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
        for run in in_turn(entries, request.rounds, spec_of, cold=request.cold):
            progress.print(f"round {run.round + 1}, {run.name}: {run.outcome}", markup=False)
            result.runs.append(run)
    else:
        for entry in entries:
            with make_memory_limit(limit) as memory_limit:
                once = spec_of(entry, 0).model_copy(update={"repeats": 1})
                result.limited.append(measure(entry, 0, once, memory_limit=memory_limit))
    show(result, limit)
    for file in result.save(request.out):
        progress.print(f"Saved {file}", markup=False)
    return result


def convert(folder: Path) -> None:
    """In a process of its own, whose memory is gone afterwards. Where it is refused, the system
    is left out with the reason."""
    if not is_converted(folder / CONVERSION_FOLDER):
        command = [sys.executable, "-m", "healer", "optimize", str(folder)]
        subprocess.run(command, check=False, env=environment(), stdout=subprocess.DEVNULL)  # noqa: S603


def ceilings(shape: str) -> dict[str, object]:
    """In a fresh process too."""
    command = [sys.executable, "-m", "benchmarks.medgemma.ceilings", *["tiny"] * (shape == "tiny")]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env=environment()
    )
    if done.returncode:
        raise SystemMissing("the ceilings", (done.stderr.splitlines() or ["no reason"])[-1])
    found: dict[str, object] = json.loads(done.stdout)
    return found
