"""Files in, answers out, in order: read and admitted a little ahead, looked at in batches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from healer.config import Settings
from healer.errors import FileNotReadable, HealerError, TooManyBytes
from healer.queueing.batching import natural
from healer.screening.admission import Admitted, admit
from healer.screening.screener import Screener, Screening
from healer.serving.identity import new_request_id
from healer.serving.problems import status_of
from healer.serving.schemas import Prediction, Problem

# How many tiles an engine is shown at once, where that is more than a service would show it.
BATCHES = {"builtin": 16, "openai": 8}
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
ADMITTING = 2  # threads that read, decode and ask the gate; all three let other threads run

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture that lies inside another file, under a name of its own."""

    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    path: Path
    answer: Prediction | Problem


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was admitted, or why it was not; `seconds` to get there."""

    path: Path
    request_id: str
    admitted: Admitted | HealerError
    seconds: float


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Named files as they are; folders walked in name order, for the formats Healer reads."""
    for path in paths:
        if path.is_dir():
            yield from sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES)
        else:
            yield path


def outcomes(
    screener: Screener, tiles: Iterable[Path | Embedded], settings: Settings
) -> Iterator[Outcome]:
    """One outcome a tile, in order; a bad file gets its problem in its place."""
    size = BATCHES.get(screener.info.engine) or natural(screener.info).tiles
    with ThreadPoolExecutor(ADMITTING) as pool:
        prepared = ahead(pool, lambda tile: prepare(tile, settings), tiles, depth=2 * size)
        for group in batched(prepared, size):
            yield from answered(screener, group)


def ahead(
    pool: ThreadPoolExecutor, step: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[Result]:
    """`step` of each item in order, computed up to `depth` ahead of who asks."""
    waiting: deque[Future[Result]] = deque()
    source = iter(items)
    waiting.extend(pool.submit(step, item) for item in islice(source, depth))
    while waiting:
        done = waiting.popleft()
        waiting.extend(pool.submit(step, item) for item in islice(source, 1))
        yield done.result()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    source = iter(items)
    while group := list(islice(source, size)):
        yield group


def prepare(tile: Path | Embedded, settings: Settings) -> Prepared:
    request_id = new_request_id()
    started = time.perf_counter()
    admitted: Admitted | HealerError
    try:
        data = read(tile, settings.max_bytes)
        admitted = admit(data, settings.gate, settings.max_pixels)
    except HealerError as error:
        admitted = error
    path = tile.path if isinstance(tile, Embedded) else tile
    return Prepared(path, request_id, admitted, time.perf_counter() - started)


def read(tile: Path | Embedded, limit_bytes: int) -> bytes:
    try:
        size = len(tile.data) if isinstance(tile, Embedded) else tile.stat().st_size
        if size > limit_bytes:
            raise TooManyBytes(limit_bytes)
        return tile.data if isinstance(tile, Embedded) else tile.read_bytes()
    except OSError as error:
        raise FileNotReadable(error.strerror or type(error).__name__) from None


def answered(screener: Screener, group: Sequence[Prepared]) -> Iterator[Outcome]:
    tiles = [each.admitted.tile for each in group if isinstance(each.admitted, Admitted)]
    try:
        screenings = iter(screener.screen(tiles))
    except HealerError as error:
        if len(group) == 1:
            yield refused(group[0], error)
            return
        # One tile must not cost its neighbours their answers.
        for each in group:
            yield from answered(screener, [each])
        return
    for each in group:
        if isinstance(each.admitted, HealerError):
            yield refused(each, each.admitted)
        else:
            yield answer(screener, each, each.admitted, next(screenings))


def refused(prepared: Prepared, error: HealerError) -> Outcome:
    problem = Problem.of(error, status_of(type(error)), prepared.request_id)
    return Outcome(prepared.path, problem)


def answer(
    screener: Screener, prepared: Prepared, admitted: Admitted, screening: Screening
) -> Outcome:
    total = prepared.seconds + sum(screening.timings.values())
    timings = {**admitted.timings, "total": total}
    return Outcome(
        prepared.path,
        Prediction.finished(screener, screening, admitted, prepared.request_id, timings),
    )
