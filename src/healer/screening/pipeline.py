"""From a stream of items to scores: decode ahead → gate → score, for folders, archives,
evaluations and slides; the service's workers share its scoring step.

Calibration and verdict are a score's own (`Screener.score`). Explanations (`Screener.explain`) and
the answer's one shape (`healer.answer`) come after, for those who need them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Protocol, TypeVar

import structlog

from healer.errors.base import HealerError, InternalError
from healer.errors.engine import EngineFailed, EngineOutOfMemory, ModelUnsound
from healer.errors.scheduling import OutOfMemory
from healer.images.tile import Tile
from healer.screening.screener import Score, Screener

log = structlog.get_logger(__name__)

LOADING_THREADS = 2  # they read, decode and apply the gate; all three let other threads run
THREAD_PREFIX = "healer-load"  # of their names
# torch's, OpenVINO's and ONNX Runtime's ways of saying it, beside Python's MemoryError.
OUT_OF_MEMORY_SIGNS = ("out of memory", "bad_alloc", "failed to allocate", "bad allocation")


class Loaded(Protocol):
    """What loading made of an item of the stream: a tile, or None where it failed."""

    @property
    def tile(self) -> Tile | None: ...


Item = TypeVar("Item")
LoadedItem = TypeVar("LoadedItem", bound=Loaded)
Result = TypeVar("Result")


def score_stream(
    screener: Screener,
    items: Iterable[Item],
    load: Callable[[Item], LoadedItem],
    size: int,
    *,
    fixed: bool = False,
) -> Generator[list[tuple[LoadedItem, Score | BaseException | None]], None, None]:
    """Batches of what was loaded, in order, each with its score, or with why the engine has none;
    None where there was no tile to score.

    At most `2 * size` items are held, and none is waited for while others are ready, unless batches
    are `fixed`: then each but the last has `size` items, so that a run that is repeated scores the
    same batches. Raises what `items` and `load` raise.
    """
    pool = ThreadPoolExecutor(LOADING_THREADS, THREAD_PREFIX)
    try:
        for batch in load_ahead(pool, load, items, size, fixed=fixed):
            tiles = [loaded.tile for loaded in batch if loaded.tile is not None]
            scores = iter(score_each(screener, tiles))
            yield [(loaded, None if loaded.tile is None else next(scores)) for loaded in batch]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def load_ahead(
    pool: ThreadPoolExecutor,
    load: Callable[[Item], Result],
    items: Iterable[Item],
    size: int,
    *,
    fixed: bool = False,
) -> Generator[list[Result], None, None]:
    """`load` of each item in order, computed a little ahead. A batch is what is ready, at least
    one and up to `size`, so that none waits for one that takes long; or, where `fixed`, `size`."""
    source = iter(items)
    pending: deque[Future[Result]] = deque()
    pending.extend(pool.submit(load, item) for item in islice(source, 2 * size))
    while pending:
        batch = [pending.popleft().result()]
        while pending and len(batch) < size and (fixed or pending[0].done()):
            batch.append(pending.popleft().result())
        pending.extend(pool.submit(load, item) for item in islice(source, len(batch)))
        yield batch


def score_each(
    screener: Screener,
    tiles: Sequence[Tile],
    caught: type[BaseException] = Exception,
    step: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[Score | BaseException]:
    """A score for each tile, in order, or why there is none.

    One tile must not cost its neighbours their answers: where a batch fails, each is scored alone.
    Every call of the model is within one `step`.
    """
    if not tiles:
        return []
    try:
        with step():
            return [*_score_all(screener, tiles)]
    except caught as error:
        if len(tiles) == 1:
            return [error]
    return [result for tile in tiles for result in score_each(screener, [tile], caught, step)]


def _score_all(screener: Screener, tiles: Sequence[Tile]) -> list[Score]:
    scores = screener.score(tiles)
    if len(scores) != len(tiles):
        reason = f"it gave {len(scores)} answers for {len(tiles)} tiles"
        raise ModelUnsound(screener.info.model_id, reason)
    return scores


def engine_error(error: BaseException) -> HealerError:
    """An error of our tree as it is; anything else as one, its cause in the log."""
    if isinstance(error, HealerError):
        return error
    log.error("the model failed", exc_info=error)
    message = str(error).lower()
    if isinstance(error, MemoryError) or any(sign in message for sign in OUT_OF_MEMORY_SIGNS):
        return EngineOutOfMemory()
    return EngineFailed(type(error).__name__)


def unexpected_error(error: BaseException) -> HealerError:
    """As `engine_error`, for what fails outside the model."""
    if isinstance(error, HealerError):
        return error
    log.error("unforeseen error", exc_info=error)
    return OutOfMemory() if isinstance(error, MemoryError) else InternalError(type(error).__name__)
