"""The worker: one screener, opened once, that answers a block of tiles at a time."""

from __future__ import annotations

import os
import pickle
import socket
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeGuard

from healer import __version__
from healer.answer import Prediction, new_request_id
from healer.batch.listing import Source
from healer.batch.parts import encoded, row_of
from healer.errors.base import HealerError
from healer.errors.batch import TileNotAnswered, WorkersFailed
from healer.errors.engine import UpstreamError
from healer.outcomes import Naming, outcomes
from healer.problem import Problem
from healer.screening.opening import choose_engine, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import Settings


def _not_answered(error: Exception) -> HealerError:
    """Ray keeps what a worker logs, and that must name no tile: only the error's type is given."""
    return TileNotAnswered(type(error).__name__)


UNLOGGED = Naming(_not_answered, _not_answered)


class Block(TypedDict):
    """Tiles to answer: those of row `start` and on."""

    start: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What every worker gets, without secrets that it does not need."""

    settings: Settings
    source: Source

    def on(self, engine: str, threads: int) -> WorkerSetup:
        update = {"engine": engine, "threads": threads}
        return replace(self, settings=self.settings.model_copy(update=update))


@dataclass(frozen=True, slots=True)
class BlockResult:
    """The answers to a block. `part` is a Parquet file of them."""

    start: int
    rows: int
    part: bytes
    binding: dict[str, str]
    worker: str
    replacement: bool


class BlockWorker:
    """Created in the worker's process. What it raises would come back as Ray's own error, so a
    HealerError is sent as a value."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._screener = open_or_error(setup.settings)

    def __call__(self, block: Block) -> dict[str, Any]:
        try:
            return {"sent": pickle.dumps(self._answered(block))}
        except HealerError as error:
            return {"sent": pickle.dumps(error)}

    def _answered(self, block: Block) -> BlockResult:
        screener = self._screener
        if isinstance(screener, HealerError):
            raise screener
        start, names = block["start"], list(block["names"])
        answers = zip(names, self._answers(screener, block), strict=True)
        rows = [row_of(start + at, *each) for at, each in enumerate(answers)]
        return BlockResult(
            start=start,
            rows=len(rows),
            part=encoded(rows),
            binding=binding_of(screener, self._setup.settings),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            replacement=is_replacement(),
        )

    def _answers(self, screener: Screener, block: Block) -> list[Prediction | Problem]:
        try:
            tiles = self._setup.source.tiles(block["start"], block["names"])
            results = outcomes(screener, tiles, self._setup.settings, UNLOGGED)
            answers = [each.answer for each in results]
        except Exception as unforeseen:
            name = type(unforeseen).__name__
            if len(block["names"]) > 1:
                # Its tiles are then retried one by one. Ray logs this, so it must not name them.
                raise RuntimeError(name) from None
            return [problem_of(TileNotAnswered(name))]
        for answer in answers:
            if is_upstream(answer):
                raise WorkersFailed(f"the model's server failed ({answer.code})")
        return answers


def is_upstream(answer: Prediction | Problem) -> TypeGuard[Problem]:
    """Whether this is no fault of the tile, and the next tile's answer would be no other."""
    return isinstance(answer, Problem) and answer.code in UpstreamError.branch_codes()


def open_or_error(settings: Settings) -> Screener | HealerError:
    try:
        return open_screener(choose_engine(settings), settings)
    except HealerError as error:
        return error


def problem_of(error: HealerError) -> Problem:
    return Problem.of(error, new_request_id())


def binding_of(screener: Screener, settings: Settings) -> dict[str, str]:
    """Everything an answer depends on beside the tile."""
    return {
        "healer": __version__,
        **screener.binding(),
        "gate": settings.gate,
        "max_bytes": str(settings.max_bytes),
        "max_pixels": str(settings.max_pixels),
    }


def is_replacement() -> bool:
    """Whether Ray started this worker in the place of one that died."""
    import ray

    if not ray.is_initialized():
        return False
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)
