"""Files in, answers out, in order and as they come: loaded a little ahead, and what is ready scored
together. Whatever fails on a tile, in our code or a library's, is its own error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from structlog.contextvars import bound_contextvars

from healer.answer import Prediction, new_request_id
from healer.engines.registry import offline_at_once, offline_tiles
from healer.errors.base import HealerError
from healer.errors.request import TooManyBytes
from healer.files.disk import read_limited
from healer.images.tile import Tile
from healer.problem import Problem
from healer.quality.gate import LoadedTile
from healer.sandbox import load_tile
from healer.screening.pipeline import engine_error, score_stream, unexpected_error
from healer.screening.screener import Score, Screener, Screening, to_screening
from healer.settings.loading import Settings


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

    @property
    def tile(self) -> Tile | None:
        return self.loaded.tile if isinstance(self.loaded, LoadedTile) else None


@dataclass(frozen=True, slots=True)
class Naming:
    """Turns an unexpected failure into an error: of a library that reads, and of the model."""

    reading: Callable[[Exception], HealerError]
    model: Callable[[Exception], HealerError]


LOGGED = Naming(unexpected_error, engine_error)


def outcomes(
    screener: Screener,
    tiles: Iterable[Source],
    settings: Settings,
    naming: Naming = LOGGED,
    page: int | None = None,
) -> Generator[Outcome, None, None]:
    """One outcome a tile, in order; a bad file gets its problem in its place. Raises only what
    `tiles` does. `page` is the one to read of each file that holds several."""
    load = partial(prepare, settings=settings, naming=naming, page=page)
    size, at_once = offline_tiles(screener.info), offline_at_once(screener.info)
    batches = score_stream(screener, tiles, load, size, at_once=at_once)
    with closing(batches):
        for batch in batches:
            for prepared, result in batch:
                yield outcome_of(screener, prepared, result, naming)


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
    if isinstance(tile, Path):
        return read_limited(tile, limit_bytes)
    if len(tile.data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return tile.data


def outcome_of(
    screener: Screener, prepared: Prepared, result: Score | BaseException | None, naming: Naming
) -> Outcome:
    """`result` is the tile's score, or why the engine has none."""
    name = naming.model
    try:
        if isinstance(prepared.loaded, HealerError):
            raise prepared.loaded
        if not isinstance(result, Score):
            raise result or TypeError("a loaded tile was not scored")
        screening = to_screening(result, screener.explain(result))
        name = naming.reading
        answer = answer_of(screener, prepared, prepared.loaded, screening)
        return Outcome(prepared.path, answer)
    except Exception as error:
        problem = Problem.of(named(error, name, prepared.request_id), prepared.request_id)
        return Outcome(prepared.path, problem)


def answer_of(
    screener: Screener, prepared: Prepared, loaded: LoadedTile, screening: Screening
) -> Prediction:
    timings = {
        **loaded.timings,
        "total": prepared.seconds + sum(screening.timings.values()),
    }
    return Prediction.finished(screener, screening, loaded, prepared.request_id, timings)
