"""`healer doctor --speed`: how fast the chosen engine gives verdicts on this machine, warm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import psutil

from healer.hardware import cores, processor
from healer.images.tile import Tile
from healer.screening.screener import Screener, known_tile

SECONDS = 20.0  # of each of the two measurements, unless one answer takes longer
LEAST = 2  # answers, however long they take
BATCH = 16  # tiles given at once where one takes less than a second
GRAIN = 6  # of 255; makes each tile another one, so that no cache answers


@dataclass(frozen=True, slots=True)
class Speed:
    """Verdicts without explanations, decoding and gate, on drawn tiles of 224 px.

    `seconds_per_verdict` is the median of tiles scored one at a time; `tiles_per_second` is of
    batches, None where a tile takes a second or more. `other_cores` is how many cores other
    processes kept busy meanwhile.
    """

    engine: str
    processor: str
    cores: int
    seconds_per_verdict: float
    tiles_per_second: float | None
    verdicts: int
    other_cores: float

    @property
    def sentence(self) -> str:
        rate = f", {self.tiles_per_second:.1f} tiles/s in batches" if self.tiles_per_second else ""
        busy = f"; others used {self.other_cores:.1f} cores" if self.other_cores > 0.1 else ""
        return (
            f"{self.engine}: {self.seconds_per_verdict:.3g} s a verdict{rate}, warm "
            f"({self.verdicts} verdicts; {self.processor}, {self.cores} cores{busy})"
        )


def measure_speed(screener: Screener) -> Speed:
    """Takes up to a minute, loading aside, or as long as three verdicts do."""
    rng = np.random.default_rng(0)
    screener.score([new_tile(rng)])  # what comes only once is not measured
    busy, own, started = busy_seconds(), own_seconds(), time.perf_counter()
    single = timed_batches(screener, rng, 1)
    seconds = median(single)
    batches = timed_batches(screener, rng, BATCH) if seconds < 1 else []
    wall = time.perf_counter() - started
    others = (busy_seconds() - busy - (own_seconds() - own)) / wall
    return Speed(
        engine=screener.info.engine,
        processor=processor()[0],
        cores=cores(),
        seconds_per_verdict=seconds,
        tiles_per_second=BATCH * len(batches) / sum(batches) if batches else None,
        verdicts=len(single) + BATCH * len(batches),
        other_cores=max(0.0, others),
    )


def timed_batches(screener: Screener, rng: np.random.Generator, size: int) -> list[float]:
    """Seconds of each batch of so many tiles, for SECONDS, of LEAST batches at least."""
    times: list[float] = []
    while len(times) < LEAST or sum(times) < SECONDS:
        tiles = [new_tile(rng) for _ in range(size)]
        started = time.perf_counter()
        screener.score(tiles)
        times.append(time.perf_counter() - started)
    return times


def new_tile(rng: np.random.Generator) -> Tile:
    pixels = known_tile().pixels
    grain = rng.integers(-GRAIN, GRAIN + 1, pixels.shape)
    return Tile((pixels + grain).clip(0, 255).astype(np.uint8))


def busy_seconds() -> float:
    """Of all cores together since the machine started."""
    waiting = ("idle", "iowait", "guest", "guest_nice")  # guests' are in user and nice already
    times = psutil.cpu_times()._asdict()
    return float(sum(value for name, value in times.items() if name not in waiting))


def own_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(sum((times.user, times.system, times.children_user, times.children_system)))
