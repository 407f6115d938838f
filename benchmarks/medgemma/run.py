"""One contender, measured in this process: `python -m benchmarks.medgemma.run NAME ORDER`.

ORDER is `contender.Order` as JSON. One JSON object a line is printed when a stage is done, so that
a run that was killed still says how far it came.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.medgemma.system import BenchmarkOrder, System, tile
from benchmarks.medgemma.systems import SYSTEMS
from healer.errors import HealerError

Emit = Callable[..., None]
EXIT_SKIPPED = 3


def main(name: str, order: BenchmarkOrder, emit: Emit) -> int:
    try:
        module = importlib.import_module(SYSTEMS[name].module)
        emit("imports")
        contender: System = module.load(order)
    except (ImportError, HealerError) as error:
        emit("skipped", reason=str(error))
        return EXIT_SKIPPED
    emit("load", peak_rss=peak_rss())
    ticks(contender, order, order.first_tile, 0)
    emit("first_verdict", prompt_tokens=contender.prompt_tokens, peak_rss=peak_rss())
    seen = range(order.first_tile + 1, order.first_tile + 1 + order.repeats)
    answers = [ticks(contender, order, number, order.tokens) for number in seen]
    prompt_tokens = contender.prompt_tokens
    started = time.perf_counter()
    contender.answer(tile(seen[-1]), order.second_question, 0, lambda: None)
    second = time.perf_counter() - started
    emit(
        "done",
        answers=answers,
        second_verdict=second,
        prompt_tokens=prompt_tokens,
        versions=dict(contender.versions),
        peak_rss=peak_rss(),
    )
    return 0


def ticks(contender: System, order: BenchmarkOrder, number: int, tokens: int) -> list[float]:
    """Seconds from the question to each token, the verdict first."""
    picture = tile(number)
    times: list[float] = []
    started = time.perf_counter()
    contender.answer(
        picture, order.question, tokens, lambda: times.append(time.perf_counter() - started)
    )
    if len(times) != tokens + 1:
        raise RuntimeError(f"{len(times)} tokens instead of {tokens + 1}")
    return times


def peak_rss() -> int:
    """Bytes; the most that was resident at once so far."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def emitter() -> Emit:
    """Lines go to what was standard output; whatever a library prints goes to standard error."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    born = psutil.Process().create_time()

    def emit(stage: str, **figures: object) -> None:
        lines.write(json.dumps({"stage": stage, "at": time.time() - born, **figures}) + "\n")
        lines.flush()

    return emit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], BenchmarkOrder.model_validate_json(sys.argv[2]), emitter()))
