"""Files in, answers out, in order and as they come: read and admitted a little ahead, and what is
ready looked at together. Whatever fails on a tile, in our code or a library's, is its own error.
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

import structlog
from structlog.contextvars import bound_contextvars

from healer.answer import Prediction
from healer.errors import (
    FileNotReadable,
    HealerError,
    InternalError,
    ModelUnsound,
    OutOfMemory,
    TooManyBytes,
)
from healer.files.walk import walk_all
from healer.images.tile import Tile
from healer.problem import Problem, new_request_id
from healer.quality.gate import LoadedTile, load_tile
from healer.scheduling.batching import default_batching
from healer.scheduling.worker import engine_error
from healer.screening.screener import Screener, Screening
from healer.settings.loading import Settings

log = structlog.get_logger(__name__)

# How many tiles an engine is shown at once, where that is more than a service would show it.
BATCHES = {"builtin": 16, "openai": 8}
ADMITTING = 2  # threads that read, decode and ask the gate; all three let other threads run
READERS = "healer-files"  # what their names begin with

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
    """A file that was admitted, or why it was not; `seconds` to get there."""

    path: Path | str
    request_id: str
    admitted: LoadedTile | HealerError
    seconds: float


@dataclass(frozen=True, slots=True)
class Naming:
    """What a failure that nobody foresaw is called: of a library that reads, and of the model."""

    reading: Callable[[Exception], HealerError]
    model: Callable[[Exception], HealerError]


def reading_failed(error: Exception) -> HealerError:
    log.error("unforeseen error", exc_info=error)
    return OutOfMemory() if isinstance(error, MemoryError) else InternalError(type(error).__name__)


LOGGED = Naming(reading_failed, engine_error)


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
    size = BATCHES.get(screener.info.engine) or default_batching(screener.info).tiles
    pool = ThreadPoolExecutor(ADMITTING, READERS)
    try:
        for group in ready(pool, lambda tile: prepare(tile, settings, naming, page), tiles, size):
            yield from answered(screener, group, naming)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ready(
    pool: ThreadPoolExecutor, step: Callable[[Item], Result], items: Iterable[Item], size: int
) -> Generator[list[Result], None, None]:
    """`step` of each item in order, computed a little ahead of who asks: at least one, and up to
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
    admitted: LoadedTile | HealerError
    try:
        data = read(tile, settings.max_bytes)
        admitted = load_tile(data, settings.gate, settings.max_pixels, page)
    except Exception as error:
        admitted = named(error, naming.reading, request_id)
    return Prepared(path, request_id, admitted, time.perf_counter() - started)


def named(
    error: Exception, name: Callable[[Exception], HealerError], request_id: str
) -> HealerError:
    if isinstance(error, HealerError):
        return error
    with bound_contextvars(request_id=request_id):
        return name(error)


def read(tile: Source, limit_bytes: int) -> bytes:
    if isinstance(tile, Unread):
        raise tile.error
    if isinstance(tile, Embedded):
        data = tile.data
    else:
        try:
            with tile.open("rb") as file:
                data = bounded(file, limit_bytes)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise FileNotReadable(reason or type(error).__name__) from None
    if len(data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return data


def bounded(file: BinaryIO, limit_bytes: int) -> bytes:
    """At most one byte more than the limit: a pipe says no size, and a device may never end."""
    size = os.fstat(file.fileno()).st_size
    return file.read(size + 1 if 0 < size < limit_bytes else limit_bytes + 1)


def answered(
    screener: Screener, group: Sequence[Prepared], naming: Naming = LOGGED
) -> Iterator[Outcome]:
    tiles = [each.admitted.tile for each in group if isinstance(each.admitted, LoadedTile)]
    try:
        screenings = screened(screener, tiles)
    except Exception as error:
        if len(group) == 1:
            yield refused(group[0], named(error, naming.model, group[0].request_id))
            return
        # One tile must not cost its neighbours their answers.
        for each in group:
            yield from answered(screener, [each], naming)
        return
    for each in group:
        yield outcome_of(screener, each, screenings, naming)


def screened(screener: Screener, tiles: Sequence[Tile]) -> Iterator[Screening]:
    found = screener.screen(tiles) if tiles else []
    if len(found) != len(tiles):
        reason = f"it gave {len(found)} answers for {len(tiles)} tiles"
        raise ModelUnsound(screener.info.model_id, reason)
    return iter(found)


def outcome_of(
    screener: Screener, prepared: Prepared, screenings: Iterator[Screening], naming: Naming
) -> Outcome:
    if isinstance(prepared.admitted, HealerError):
        return refused(prepared, prepared.admitted)
    screening = next(screenings)
    try:
        return answer(screener, prepared, prepared.admitted, screening)
    except Exception as error:
        return refused(prepared, named(error, naming.reading, prepared.request_id))


def refused(prepared: Prepared, error: HealerError) -> Outcome:
    problem = Problem.of(error, prepared.request_id)
    return Outcome(prepared.path, problem)


def answer(
    screener: Screener, prepared: Prepared, admitted: LoadedTile, screening: Screening
) -> Outcome:
    total = prepared.seconds + sum(screening.timings.values())
    timings = {**admitted.timings, "total": total}
    return Outcome(
        prepared.path,
        Prediction.finished(screener, screening, admitted, prepared.request_id, timings),
    )
