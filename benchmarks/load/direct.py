"""The model without a service: what `healer predict` does, on the same tiles from memory.

    python -m benchmarks.load.direct TILES SECONDS ENGINE

Prints one JSON object: tiles a second, seconds of processor time a tile, bytes of peak memory.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle, islice

import psutil

from benchmarks.load.tiles import DATA, paths
from healer.outcomes import Embedded, outcomes
from healer.screening.opening import choose_engine, open_screener
from healer.settings.loading import load_settings

WARM = 16  # tiles,
WARM_SECONDS = 5.0  # or so long, of a model that is slow


def main(tiles: int, seconds: float, engine: str) -> None:
    settings = load_settings(engine=engine)
    screener = open_screener(choose_engine(settings), settings)
    pictures = [Embedded(path, path.read_bytes()) for path in paths(DATA, tiles)]
    found = outcomes(screener, cycle(pictures), settings)
    until = time.perf_counter() + WARM_SECONDS
    for _ in islice(found, WARM):
        if time.perf_counter() > until:
            break
    process = psutil.Process()
    count, began, used = 0, time.perf_counter(), sum(process.cpu_times()[:2])
    while time.perf_counter() - began < seconds:
        next(found).answer.model_dump_json()
        count += 1
    took = time.perf_counter() - began
    fields = {
        "answered_per_second": count / took,
        "cpu_seconds_each": (sum(process.cpu_times()[:2]) - used) / count,
        "rss": process.memory_info().rss,
    }
    sys.stdout.write(json.dumps(fields) + "\n")
    found.close()
    screener.engine.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
