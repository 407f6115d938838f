"""From a listing to one file of answers; workers may crash, and a killed run is resumed.

Blocks are answered in any order and saved as they come. A block that crashes its worker is retried
tile by tile, and a tile that still has no answer gets a row with that error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from healer.batch.cluster import ATTEMPTS, Pool, answer_blocks, connected, pool_for, probe
from healer.batch.listing import Listing, read_listing
from healer.batch.parts import AnswerCounts, Parts, encoded, row_of
from healer.batch.worker import Block, BlockResult, WorkerSetup, problem_of
from healer.errors.batch import TileNotAnswered, WorkersFailed
from healer.settings.loading import Settings

BLOCK = 64
DIED = f"the worker that scored it died each of {ATTEMPTS} times"


@dataclass(frozen=True, slots=True)
class BatchRun:
    settings: Settings
    input: Path
    output: Path
    ray_address: str | None = None


@dataclass(slots=True)
class Report:
    """`resumed` tiles were answered by an earlier run; `seconds` went into the others."""

    tiles: int
    resumed: int
    workers: int
    seconds: float = 0.0
    replaced: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    counts: AnswerCounts = field(default_factory=AnswerCounts)

    @property
    def scored(self) -> int:
        return self.tiles - self.resumed

    @property
    def rate(self) -> float:
        """Tiles a second."""
        return self.scored / self.seconds if self.seconds else 0.0


OnProgress = Callable[[int, int], None]
OnNote = Callable[[str], None]


def run(job: BatchRun, on_progress: OnProgress, on_note: OnNote = lambda _: None) -> Report:
    """`on_progress` gets the tiles answered and in all, `on_note` remarks on the listing.

    Raises `healer.errors.HealerError`.
    """
    listing = read_listing(job.input)
    notes = list(listing.notes())
    for note in notes:
        on_note(note)
    with Parts(job.output, len(listing.names)) as parts, connected(job.ray_address) as nodes:
        setup = WorkerSetup(portable(job.settings), listing.source)
        binding = probe(setup, nodes)
        resumed = parts.bind({**binding, "tiles": listing.fingerprint})
        pool = pool_for(binding["engine"], job.settings, nodes)
        report = Report(len(listing.names), resumed, pool.workers, notes=notes)
        dispatcher = Dispatcher(
            parts, listing, setup.on(binding["engine"], pool.threads), pool, binding
        )
        started = time.perf_counter()
        dispatcher.run(report, on_progress)
        report.seconds = time.perf_counter() - started
        report.counts = parts.merge({"left_out": json.dumps(listing.left_out.as_json())})
    return report


def portable(settings: Settings) -> Settings:
    """As workers need them: without secrets they do not need, and paths that hold in any folder."""
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
class Dispatcher:
    """Sends blocks to the workers and saves their answers."""

    parts: Parts
    listing: Listing
    setup: WorkerSetup
    pool: Pool
    binding: dict[str, str]

    def run(self, report: Report, on_progress: OnProgress) -> None:
        done = report.resumed
        on_progress(done, report.tiles)
        for most in (BLOCK, 1):
            gaps = self.parts.gaps(most)
            if not gaps:
                return
            for result in self._answers(gaps, alone=most == 1):
                self._save(result, report)
                done += result.rows
                on_progress(done, report.tiles)
            if done == report.resumed and len(gaps) > 1:
                raise WorkersFailed("its workers died or failed on every block")
        self._save_unanswered(self.parts.gaps(1))
        on_progress(report.tiles, report.tiles)

    def _answers(self, gaps: Sequence[range], *, alone: bool) -> Iterator[BlockResult]:
        names = self.listing.names
        blocks = [Block(start=gap.start, names=list(names[gap.start : gap.stop])) for gap in gaps]
        return answer_blocks(blocks, self.setup, self.pool, alone=alone)

    def _save(self, result: BlockResult, report: Report) -> None:
        if result.binding != self.binding:
            raise WorkersFailed("a worker's model, settings or Healer are not the others'")
        self.parts.save(result.start, result.rows, result.part)
        if result.replacement:
            report.replaced.add(result.worker)

    def _save_unanswered(self, gaps: Sequence[range]) -> None:
        problem = problem_of(TileNotAnswered(DIED))
        for gap in gaps:
            row = row_of(gap.start, self.listing.names[gap.start], problem)
            self.parts.save(gap.start, 1, encoded([row]))
