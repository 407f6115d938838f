"""What was asked for, and how its progress is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from healer.engines.base import Question
from healer.engines.openvino.folder import Tolerance, Weights
from healer.imaging.tile import Tile

# Plain bfloat16 moves logits near 20 by up to 0.06, and a margin by twice that. Eight bits may
# cost as much again; four are known to cost more and are asked for.
TOLERANCES = {
    "int8": Tolerance(shift=0.25, divergence=0.02, regret=0.25),
    "int4": Tolerance(shift=1.0, divergence=0.25, regret=1.0),
}
# The stage, steps done, steps in all.
Watch = Callable[[str, int, int], None]


def silent(_stage: str, _done: int, _total: int) -> None:
    """Watches nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    tile: Tile


@dataclass(frozen=True, slots=True)
class Order:
    """What to convert to what, and the tiles it is then verified on."""

    source: Path
    out: Path
    question: Question
    samples: tuple[Sample, ...]
    weights: Weights = "int8"
    watch: Watch = silent
    tolerance: Tolerance | None = None  # that of `weights` where None

    @property
    def work(self) -> Path:
        """Beside `out`, so that it becomes `out` in one step."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def allowed(self) -> Tolerance:
        return self.tolerance or TOLERANCES[self.weights]

    def steps(self, stage: str, total: int) -> Callable[[], None]:
        """To be called after each step of a stage."""
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self.watch(stage, done, total)

        return step
