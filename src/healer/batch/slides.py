"""Tiles of slides on Ray's workers: blocks of areas go out, results come back, each tile once.

Each worker opens the slide itself, under the path that it has here. A block whose worker dies is
given to it again once it has been replaced; where it kills its worker each time, its tiles are
tried alone, and one that still has no answer is unreadable.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from healer.batch.cluster import ATTEMPTS, Pool, connected, pool_for, unpickled
from healer.batch.run import portable
from healer.batch.worker import open_or_error
from healer.errors.base import HealerError
from healer.errors.batch import TileNotAnswered, WorkersFailed
from healer.files.parts import differing
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.slides.opening import SlideSource
from healer.slides.reader import Area, SlideReader
from healer.slides.run import binding_of
from healer.slides.scoring import (
    CoverageLedger,
    TilePlan,
    TileResult,
    TileScorer,
    TileScorerFactory,
    unread_tile,
)

BLOCK_TILES = 32
BLOCKS_AHEAD = 2  # for each worker, so that none waits for its next
OPEN_SLIDES = 4  # in each worker
FAILED_AT_FIRST = 3  # blocks, before any has an answer
WAIT_SECONDS = 1.0
Areas = tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class SlideBlock:
    """`binding` is that of the slide here, which a worker's must be too."""

    source: SlideSource
    plan: TilePlan
    binding: Mapping[str, str]
    areas: Areas


@dataclass(frozen=True, slots=True)
class SentBlock:
    """`reference` is Ray's to its results, `actor` the number of the one that has it, and `count`
    how many blocks it stands for there."""

    reference: Any
    areas: Areas
    actor: int
    count: int


class SlideWorker:
    """Created in the worker's process. A HealerError is sent as a value, as by BlockWorker."""

    def __init__(self, settings: Settings) -> None:
        self._screener = open_or_error(settings)
        self._readers: OrderedDict[SlideSource, SlideReader] = OrderedDict()

    def results(self, sent: bytes) -> bytes:
        try:
            return pickle.dumps(self._results(pickle.loads(sent)))  # noqa: S301 - from our command
        except HealerError as error:
            return pickle.dumps(error)
        except Exception as unforeseen:  # Ray logs this, so it must name no slide
            raise RuntimeError(type(unforeseen).__name__) from None

    def _results(self, block: SlideBlock) -> list[TileResult]:
        screener = self._screener
        if isinstance(screener, HealerError):
            raise screener
        reader = self._reader(block.source)
        binding = binding_of(reader.info, screener, block.plan)
        if differs := differing(binding, block.binding, block.binding):
            raise WorkersFailed(f"a worker has another {differs} than this machine")
        scorer = TileScorer(reader, screener, block.plan)
        return [result for group in scorer.results(block.areas) for result in group]

    def _reader(self, source: SlideSource) -> SlideReader:
        """Opened once, while it is among the last few that were read."""
        reader = self._readers.pop(source, None) or source.open(readers=1)
        self._readers[source] = reader
        if len(self._readers) > OPEN_SLIDES:
            self._readers.popitem(last=False)[1].close()
        return reader


class SlideWorkers:
    """Actors, each of which is restarted where it dies. For several threads, one a slide."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        import ray

        actor = ray.remote(SlideWorker).options(
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            max_restarts=-1,
            max_task_retries=ATTEMPTS - 1,
        )
        self.actors: list[Any] = [actor.remote(settings) for _ in range(pool.workers)]
        self._blocks = [0] * len(self.actors)
        self._room = threading.Condition()
        self._stopped = threading.Event()

    def scorer(self, source: SlideSource) -> TileScorerFactory:
        """Of one slide's tiles."""
        return partial(ClusterScorer, self, replace(source, path=source.path.absolute()))

    def stop(self) -> None:
        """Ends the reading of every slide."""
        self._stopped.set()

    def send(self, block: SlideBlock, *, alone: bool) -> SentBlock | None:
        """To the actor with the fewest; None where all have enough. A block that is `alone` takes
        no other with it when its actor dies."""
        count = BLOCKS_AHEAD if alone else 1
        with self._room:
            at = min(range(len(self.actors)), key=self._blocks.__getitem__)
            if self._blocks[at] + count > BLOCKS_AHEAD:
                return None
            self._blocks[at] += count
        reference = self.actors[at].results.remote(pickle.dumps(block))
        return SentBlock(reference, block.areas, at, count)

    def forget(self, sent: SentBlock) -> None:
        with self._room:
            self._blocks[sent.actor] -= sent.count
            self._room.notify_all()

    def first_done(self, pending: Sequence[SentBlock]) -> SentBlock | None:
        """None where nothing is pending, and there may be room by now."""
        import ray

        while not self._stopped.is_set():
            if not pending:
                with self._room:
                    self._room.wait(WAIT_SECONDS)
                return None
            references = [each.reference for each in pending]
            done, _ = ray.wait(references, num_returns=1, timeout=WAIT_SECONDS)
            if done:
                return next(each for each in pending if each.reference == done[0])
        raise KeyboardInterrupt


@dataclass(slots=True)
class ClusterScorer:
    """A TileScorer whose tiles are read and scored by workers; blocks come back in any order."""

    workers: SlideWorkers
    source: SlideSource
    reader: SlideReader
    screener: Screener
    plan: TilePlan
    ledger: CoverageLedger
    _block: Areas = ()
    _alone: deque[Areas] = field(default_factory=deque)
    _pending: list[SentBlock] = field(default_factory=list)
    _answered: int = 0
    _failed: int = 0

    def results(self, areas: Iterable[Area]) -> Iterator[list[TileResult]]:
        """Raises HealerError where the slide cannot be read there, or no worker answers."""
        source = iter(areas)
        binding = binding_of(self.reader.info, self.screener, self.plan)
        try:
            while True:
                self._send(source, binding)
                if not (self._pending or self._alone or self._block):
                    return
                if sent := self.workers.first_done(self._pending):
                    yield self._results_of(sent)
        finally:
            for sent in self._pending:
                self.workers.forget(sent)
            self._pending.clear()

    def _send(self, source: Iterator[Area], binding: Mapping[str, str]) -> None:
        """As much as there is room for; tiles that are to be alone first."""
        while self._alone and self._sent(self._alone[0], binding, alone=True):
            self._alone.popleft()
        while block := self._block or tuple(islice(source, BLOCK_TILES)):
            self._block = () if self._sent(block, binding, alone=False) else block
            if self._block:
                return

    def _sent(self, areas: Areas, binding: Mapping[str, str], *, alone: bool) -> bool:
        block = SlideBlock(self.source, self.plan, binding, areas)
        sent = self.workers.send(block, alone=alone)
        if sent is not None:
            self._pending.append(sent)
        return sent is not None

    def _results_of(self, sent: SentBlock) -> list[TileResult]:
        import ray

        self._pending.remove(sent)
        self.workers.forget(sent)
        try:
            results: list[TileResult] = unpickled(ray.get(sent.reference))
        except ray.exceptions.RayError:
            return self._without_answer(sent.areas)
        self._answered += 1
        return [replace(each, tissue_mm2=self.ledger.tissue_mm2(each.area)) for each in results]

    def _without_answer(self, areas: Areas) -> list[TileResult]:
        self._failed += 1
        if not self._answered and self._failed >= FAILED_AT_FIRST:
            raise WorkersFailed("its workers died or failed on every block")
        if len(areas) > 1:
            self._alone.extend((area,) for area in areas)
            return []
        (area,) = areas
        tissue = self.ledger.tissue_mm2(area)
        return [unread_tile(area, self.plan, TileNotAnswered.code, tissue)]


@contextmanager
def slide_workers(settings: Settings, address: str) -> Iterator[SlideWorkers]:
    """As many as the cluster has room for. Raises ArchivesNotInstalled and RayUnavailable."""
    with connected(address) as nodes:
        pool = pool_for(settings.engine, settings, nodes)
        yield SlideWorkers(portable(settings.model_copy(update={"threads": pool.threads})), pool)
