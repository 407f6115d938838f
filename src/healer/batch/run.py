"""From a listing to one file of answers, through workers that may die and runs that may be killed.

Blocks are asked in any order and kept as they come. What a block's worker does not survive is
asked again, tile by tile, and what even then has no answer gets a row that says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from healer.batch.cluster import ATTEMPTS, Pool, connected, look, pool_for, probe
from healer.batch.listing import Listing, read_listing
from healer.batch.parts import Parts, Tally, encoded, row_of
from healer.batch.worker import Block, BlockResult, WorkerOrder, problem_of
from healer.errors import TileNotAnswered, WorkersFailed
from healer.settings.loading import Settings

BLOCK = 64
DIED = f"the worker that looked at it died each of {ATTEMPTS} times"


@dataclass(frozen=True, slots=True)
class BatchRun:
    settings: Settings
    input: Path
    output: Path
    ray_address: str | None = None


@dataclass(slots=True)
class Report:
    """`kept` tiles were answered before this run; `seconds` are those of looking at the others."""

    tiles: int
    kept: int
    workers: int
    seconds: float = 0.0
    replaced: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def looked(self) -> int:
        return self.tiles - self.kept

    @property
    def rate(self) -> float:
        """Tiles a second."""
        return self.looked / self.seconds if self.seconds else 0.0


OnProgress = Callable[[int, int], None]
Say = Callable[[str], None]


def run(job: BatchRun, tell: OnProgress, say: Say = lambda _: None) -> Report:
    """`tell` hears how many tiles are answered, of how many, `say` what there is to know of the
    list. Raises `healer.errors.HealerError`."""
    found = read_listing(job.input)
    notes = list(found.notes())
    for note in notes:
        say(note)
    with Parts(job.output, len(found.names)) as parts, connected(job.ray_address) as nodes:
        order = WorkerOrder(portable(job.settings), found.source)
        binding = probe(order, nodes)
        kept = parts.bind({**binding, "tiles": found.fingerprint})
        pool = pool_for(binding["engine"], job.settings, nodes)
        report = Report(len(found.names), kept, pool.workers, notes=notes)
        asking = BlockSource(parts, found, order.on(binding["engine"], pool.threads), pool, binding)
        started = time.perf_counter()
        asking.ask(report, tell)
        report.seconds = time.perf_counter() - started
        report.tally = parts.merge({"left_out": json.dumps(found.left_out.as_json())})
    return report


def portable(settings: Settings) -> Settings:
    """As workers need them: no secret they have no use for, and paths that hold in any folder."""
    calibration, adapter = settings.calibration, settings.model_adapter
    named = calibration not in ("auto", "off")
    return settings.model_copy(
        update={
            "hf_token": None,
            "audit": None,
            "model_dir": settings.model_dir.absolute(),
            "model_adapter": adapter.absolute() if adapter else None,
            "calibration": str(Path(calibration).absolute()) if named else calibration,
        }
    )


@dataclass(frozen=True, slots=True)
class BlockSource:
    parts: Parts
    listing: Listing
    order: WorkerOrder
    pool: Pool
    binding: dict[str, str]

    def ask(self, report: Report, tell: OnProgress) -> None:
        done = report.kept
        tell(done, report.tiles)
        for most in (BLOCK, 1):
            gaps = self.parts.gaps(most)
            if not gaps:
                return
            for looked in self._look(gaps, alone=most == 1):
                self._keep(looked, report)
                done += looked.rows
                tell(done, report.tiles)
            if done == report.kept and len(gaps) > 1:
                raise WorkersFailed("its workers died or failed at whatever they were shown")
        self._give_up(self.parts.gaps(1))
        tell(report.tiles, report.tiles)

    def _look(self, gaps: Sequence[range], *, alone: bool) -> Iterator[BlockResult]:
        names = self.listing.names
        blocks = [Block(start=gap.start, names=list(names[gap.start : gap.stop])) for gap in gaps]
        return look(blocks, self.order, self.pool, alone=alone)

    def _keep(self, looked: BlockResult, report: Report) -> None:
        if looked.binding != self.binding:
            raise WorkersFailed("a worker's model, settings or Healer are not the others'")
        self.parts.save(looked.start, looked.rows, looked.part)
        if looked.replacement:
            report.replaced.add(looked.worker)

    def _give_up(self, gaps: Sequence[range]) -> None:
        problem = problem_of(TileNotAnswered(DIED))
        for gap in gaps:
            row = row_of(gap.start, self.listing.names[gap.start], problem)
            self.parts.save(gap.start, 1, encoded([row]))
