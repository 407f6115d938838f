"""One system, measured in this process: `python -m benchmarks.medgemma.run NAME SPEC`.

SPEC is a `RunSpec` as JSON. One JSON object a line is printed when a stage is done, so that
a run that was killed still says how far it came.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import psutil

from benchmarks.medgemma.systems import SYSTEMS, RunSpec, System, tile
from benchmarks.processes import PEAK, memory_of
from healer.errors import HealerError

Emit = Callable[..., None]
EXIT_SKIPPED = 3


def main(name: str, spec: RunSpec, emit: Emit) -> int:
    try:
        load = SYSTEMS[name].load()
        emit("imports")
        system = load(spec)
    except (ImportError, HealerError) as error:
        emit("skipped", reason=str(error))
        return EXIT_SKIPPED
    emit("load", peak_rss=memory_of("self", PEAK))
    ticks(system, spec, spec.first_tile, 0)
    emit("first_verdict", prompt_tokens=system.prompt_tokens, peak_rss=memory_of("self", PEAK))
    seen = range(spec.first_tile + 1, spec.first_tile + 1 + spec.repeats)
    answers = [ticks(system, spec, number, spec.tokens) for number in seen]
    prompt_tokens = system.prompt_tokens
    started = time.perf_counter()
    system.answer(tile(seen[-1]), spec.second_question, 0, lambda: None)
    second = time.perf_counter() - started
    emit(
        "done",
        answers=answers,
        second_verdict=second,
        prompt_tokens=prompt_tokens,
        versions=dict(system.versions),
        peak_rss=memory_of("self", PEAK),
    )
    return 0


def ticks(system: System, spec: RunSpec, number: int, tokens: int) -> list[float]:
    """Seconds from the question to each token, the verdict first."""
    picture = tile(number)
    times: list[float] = []
    started = time.perf_counter()
    system.answer(
        picture, spec.question, tokens, lambda: times.append(time.perf_counter() - started)
    )
    if len(times) != tokens + 1:
        raise RuntimeError(f"{len(times)} tokens instead of {tokens + 1}")
    return times


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
    sys.exit(main(sys.argv[1], RunSpec.model_validate_json(sys.argv[2]), emitter()))
