"""Files in, answers out, in order and as they come: loaded a little ahead, and what is ready scored
together. Whatever fails on a tile, in our code or a library's, is its own error.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from structlog.contextvars import bound_contextvars

from healer.answer import Prediction
from healer.engines.registry import offline_tiles
from healer.errors.base import HealerError
from healer.errors.request import FileNotReadable, TooManyBytes
from healer.files.walk import walk_all
from healer.problem import Problem, new_request_id
from healer.quality.gate import LoadedTile, load_tile
from healer.scheduling.worker import engine_error, unexpected_error
from healer.screening.pipeline import score_each
from healer.screening.screener import Score, Screener, Screening, to_screening
from healer.settings.loading import Settings

# How many tiles an engine is shown at once, where that is more than a service would show it.
LOADING_THREADS = 2  # they read, decode and apply the gate; all three let other threads run
THREAD_PREFIX = "healer-files"  # of their names

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture that lies inside another file, under a name of its own."""

    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """What was named but cannot be a tile, and why; `path` as it was named."""

    path: str
    error: HealerError


Source = Path | Embedded | Unread


@dataclass(frozen=True, slots=True)
class Outcome:
    path: Path | str
    answer: Prediction | Problem


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was loaded, or why it could not be; `seconds` that took."""

    path: Path | str
    request_id: str
    loaded: LoadedTile | HealerError
    seconds: float


@dataclass(frozen=True, slots=True)
class Naming:
    """Turns an unexpected failure into an error: of a library that reads, and of the model."""

    reading: Callable[[Exception], HealerError]
    model: Callable[[Exception], HealerError]


LOGGED = Naming(unexpected_error, engine_error)


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Named files as they are; folders walked in name order, for the formats Healer reads."""
    yield from walk_all(paths).files


def outcomes(
    screener: Screener,
    tiles: Iterable[Source],
    settings: Settings,
    naming: Naming = LOGGED,
    page: int | None = None,
) -> Generator[Outcome, None, None]:
    """One outcome a tile, in order; a bad file gets its problem in its place. Raises only what
    `tiles` does. `page` is the one to read of each file that holds several."""
    size = offline_tiles(screener.info)
    pool = ThreadPoolExecutor(LOADING_THREADS, THREAD_PREFIX)
    try:
        for group in ready(pool, lambda tile: prepare(tile, settings, naming, page), tiles, size):
            yield from answered(screener, group, naming)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ready(
    pool: ThreadPoolExecutor, step: Callable[[Item], Result], items: Iterable[Item], size: int
) -> Generator[list[Result], None, None]:
    """`step` of each item in order, computed a little ahead: at least one, and up to
    `size` where as many are done, so that none waits for one that takes long."""
    source = iter(items)
    waiting: deque[Future[Result]] = deque()
    waiting.extend(pool.submit(step, item) for item in islice(source, 2 * size))
    while waiting:
        group = [waiting.popleft().result()]
        while waiting and len(group) < size and waiting[0].done():
            group.append(waiting.popleft().result())
        waiting.extend(pool.submit(step, item) for item in islice(source, len(group)))
        yield group


def prepare(
    tile: Source, settings: Settings, naming: Naming = LOGGED, page: int | None = None
) -> Prepared:
    request_id = new_request_id()
    started = time.perf_counter()
    path = tile if isinstance(tile, Path) else tile.path
    loaded: LoadedTile | HealerError
    try:
        data = read_bytes(tile, settings.max_bytes)
        loaded = load_tile(data, settings.gate, settings.max_pixels, page)
    except Exception as error:
        loaded = named(error, naming.reading, request_id)
    return Prepared(path, request_id, loaded, time.perf_counter() - started)


def named(
    error: Exception, name: Callable[[Exception], HealerError], request_id: str
) -> HealerError:
    if isinstance(error, HealerError):
        return error
    with bound_contextvars(request_id=request_id):
        return name(error)


def read_bytes(tile: Source, limit_bytes: int) -> bytes:
    if isinstance(tile, Unread):
        raise tile.error
    if isinstance(tile, Embedded):
        data = tile.data
    else:
        try:
            with tile.open("rb") as file:
                data = read_bounded(file, limit_bytes)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise FileNotReadable(reason or type(error).__name__) from None
    if len(data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return data


def read_bounded(file: BinaryIO, limit_bytes: int) -> bytes:
    """At most one byte more than the limit: a pipe says no size, and a device may never end."""
    size = os.fstat(file.fileno()).st_size
    return file.read(size + 1 if 0 < size < limit_bytes else limit_bytes + 1)


def answered(
    screener: Screener, group: Sequence[Prepared], naming: Naming = LOGGED
) -> Iterator[Outcome]:
    tiles = [each.loaded.tile for each in group if isinstance(each.loaded, LoadedTile)]
    scores = iter(score_each(screener, tiles))
    for each in group:
        result = each.loaded if isinstance(each.loaded, HealerError) else next(scores)
        yield outcome_of(screener, each, result, naming)


def outcome_of(
    screener: Screener, prepared: Prepared, result: Score | BaseException, naming: Naming
) -> Outcome:
    """`result` is the tile's score, or why there is none."""
    name = naming.model
    try:
        if not isinstance(result, Score):
            raise result
        screening = to_screening(result, screener.explain(result))
        name = naming.reading
        return Outcome(prepared.path, answer_of(screener, prepared, screening))
    except Exception as error:
        problem = Problem.of(named(error, name, prepared.request_id), prepared.request_id)
        return Outcome(prepared.path, problem)


def answer_of(screener: Screener, prepared: Prepared, screening: Screening) -> Prediction:
    loaded = prepared.loaded
    if isinstance(loaded, HealerError):
        raise loaded
    timings = {
        **loaded.timings,
        "total": prepared.seconds + sum(screening.timings.values()),
    }
    return Prediction.finished(screener, screening, loaded, prepared.request_id, timings)
