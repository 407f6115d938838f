"""From a stream of items to scores: decode ahead → gate → score, for folders, archives,
evaluations and slides; the service's workers share its scoring step.

Calibration and verdict are a score's own (`Screener.score`). Explanations (`Screener.explain`) and
the answer's one shape (`healer.answer`) come after, for those who need them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import structlog

from healer.errors.base import HealerError, InternalError
from healer.errors.engine import EngineFailed, EngineOutOfMemory, ModelUnsound
from healer.errors.scheduling import OutOfMemory
from healer.images.tile import Tile
from healer.screening.screener import Score, Screener

log = structlog.get_logger(__name__)

LOADING_THREADS = 2  # they read, decode and apply the gate; all three let other threads run
THREAD_PREFIX = "healer-load"  # of their names
SCORING_PREFIX = "healer-score"
# torch's, OpenVINO's and ONNX Runtime's ways of saying it, beside Python's MemoryError.
OUT_OF_MEMORY_SIGNS = ("out of memory", "bad_alloc", "failed to allocate", "bad allocation")


class Loaded(Protocol):
    """What loading made of an item of the stream: a tile, or None where it failed."""

    @property
    def tile(self) -> Tile | None: ...


Item = TypeVar("Item")
LoadedItem = TypeVar("LoadedItem", bound=Loaded)
Result = TypeVar("Result")


Scored = list[tuple[LoadedItem, Score | BaseException | None]]


def score_stream(
    screener: Screener,
    items: Iterable[Item],
    load: Callable[[Item], LoadedItem],
    size: int,
    *,
    fixed: bool = False,
    at_once: int = 1,
) -> Generator[Scored[LoadedItem], None, None]:
    """Batches of what was loaded, in order, each with its score, or with why the engine has none;
    None where there was no tile to score.

    `at_once` batches are scored side by side. At most `2 * size` items are held beside them, and
    none is waited for while others are ready, unless batches are `fixed`: then each but the last
    has `size` items, so that a run that is repeated scores the same batches. Raises what `items`
    and `load` raise.
    """
    pool = ThreadPoolExecutor(LOADING_THREADS, THREAD_PREFIX)
    scoring = ThreadPoolExecutor(at_once, SCORING_PREFIX)
    try:
        ahead = Ahead(pool, load, items, size, fixed=fixed)
        if at_once == 1:  # by this thread, which Ctrl-C then ends
            while ahead:
                yield _scored(screener, ahead.take())
        else:
            yield from _side_by_side(scoring, screener, ahead, at_once)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        scoring.shutdown(wait=False, cancel_futures=True)


def _side_by_side(
    pool: ThreadPoolExecutor, screener: Screener, ahead: Ahead[Item, LoadedItem], at_once: int
) -> Generator[Scored[LoadedItem], None, None]:
    """The next batch is given to the engine while those before it are scored and put in words, so
    that the engine never waits; but only once it is full, as the engine is busy anyway."""
    running: deque[Future[Scored[LoadedItem]]] = deque()
    while ahead or running:
        more = ahead and len(running) < at_once
        if more and (not running or ahead.is_full_before(running[0])):
            running.append(pool.submit(_scored, screener, ahead.take()))
        else:
            yield running.popleft().result()


def _scored(screener: Screener, batch: Sequence[LoadedItem]) -> Scored[LoadedItem]:
    tiles = [loaded.tile for loaded in batch if loaded.tile is not None]
    scores = iter(score_each(screener, tiles))
    return [(loaded, None if loaded.tile is None else next(scores)) for loaded in batch]


class Ahead(Generic[Item, Result]):
    """`load` of each item in order, computed a little ahead; false once no item is left."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        load: Callable[[Item], Result],
        items: Iterable[Item],
        size: int,
        *,
        fixed: bool = False,
    ) -> None:
        self._pool, self._load, self._items = pool, load, iter(items)
        self._size, self._fixed = size, fixed
        self._pending: deque[Future[Result]] = deque()
        self._submit(2 * size)

    def __bool__(self) -> bool:
        return bool(self._pending)

    def _submit(self, count: int) -> None:
        items = islice(self._items, count)
        self._pending.extend(self._pool.submit(self._load, item) for item in items)

    def take(self) -> list[Result]:
        """What is ready, at least one and up to `size`, so that none waits for one that takes long;
        or, where `fixed`, `size`."""
        pending = self._pending
        batch = [pending.popleft().result()]
        while pending and len(batch) < self._size and (self._fixed or pending[0].done()):
            batch.append(pending.popleft().result())
        self._submit(len(batch))
        return batch

    def is_full_before(self, other: Future[Any]) -> bool:
        """Whether a whole batch is ready, which is waited for as long as `other` is not done."""
        batch = list(islice(self._pending, self._size))
        while awaited := [each for each in batch if not each.done()]:
            if other.done():
                return False
            wait((awaited[0], other), return_when=FIRST_COMPLETED)
        return True


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
