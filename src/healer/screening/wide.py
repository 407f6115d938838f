"""Reading a wide field window by window, in steps that leave room for others' tiles.

The answer is that of two neighbouring windows, which share half their tissue: of all such pairs the
one most like cancer, and of that pair the lower. One window alone among a hundred says little.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from healer.engines.base import Answer, Evidence, FieldScale
from healer.imaging.tile import Tile
from healer.screening import field
from healer.screening.field import Box, Grid, WindowAnswer
from healer.screening.gate import shows_tissue
from healer.screening.second_answer import OF_WINDOWS, Mark, SecondAnswer, second_answer
from healer.screening.verdict import Verdict

AT_ONCE = 8  # windows a step
RULE = (
    "Of a wide field, the answer is that of the two overlapping windows most like cancer, of the "
    "lower of the two."
)
RULE_ALONE = "Of so wide a field, the answer is that of the window most like cancer."

Cell = tuple[int, int]
Score = Callable[[Sequence[Tile]], Sequence[Evidence]]


@dataclass(frozen=True, slots=True)
class WideReading:
    """What was seen in each window; those of bare glass are counted, not scored."""

    grid: Grid
    seen: Mapping[Cell, Evidence]
    glass: int

    def strongest(self, values: Mapping[Cell, Any]) -> Cell:
        """Of all pairs of neighbours the one whose lower value is highest, and of it the lower; a
        window without neighbours speaks for itself."""
        lower = [
            min(cell, other, key=values.__getitem__)
            for cell in values
            for other in self._beside(cell, values)
        ]
        return max(lower, key=values.__getitem__)

    def _beside(self, cell: Cell, values: Mapping[Cell, Any]) -> list[Cell]:
        return [each for each in self.grid.neighbours(cell) if each in values] or [cell]

    def headline(self) -> tuple[Evidence, Box]:
        """The evidence that the answer follows from, with the whole reading's stages."""
        cell = self.strongest({cell: seen.margin for cell, seen in self.seen.items()})
        stages: dict[str, float] = {}
        for each in self.seen.values():
            for name, seconds in each.stages.items():
                stages[name] = stages.get(name, 0.0) + seconds
        return replace(self.seen[cell], stages=stages), self.grid.box(cell)

    def second(self, headline: Verdict) -> SecondAnswer | None:
        """As the answer: of the two neighbouring windows that say most, what the lower says."""
        found = {
            cell: second_answer(headline, seen.findings, OF_WINDOWS)
            for cell, seen in self.seen.items()
        }
        told = {cell: each for cell, each in found.items() if each is not None}
        if not told:
            return None
        return told[self.strongest({cell: _weight(each) for cell, each in told.items()})]

    def answers(self, verdicts: Mapping[Cell, Verdict]) -> Iterator[WindowAnswer]:
        """Each scored window with what was read in it."""
        for cell, verdict in verdicts.items():
            box = self.grid.box(cell)
            yield WindowAnswer(
                box.x, box.y, box.width, box.height, verdict.probability, verdict.answer
            )

    @property
    def rule(self) -> str:
        return RULE if self.grid.overlapping else RULE_ALONE

    def in_words(self) -> str:
        count = len(self.grid.cells)
        words = f"It was read in {count} windows of {self.grid.side} pixels"
        words += ", with gaps, as it is too large to read as a whole" if self.grid.sampled else ""
        if self.glass:
            words += f"; {self.glass} of them show bare glass and were not scored"
        return f"{words}."


def _weight(second: SecondAnswer) -> tuple[bool, bool, bool, float]:
    """What says more is greater: high-grade neoplasia, then any dysplasia, then a doubt."""
    return (
        second.mark is Mark.HIGH_GRADE,
        second.verdict is Answer.YES,
        second.verdict is Answer.INDETERMINATE,
        second.probability,
    )


def read(tile: Tile, scale: FieldScale, score: Score) -> Generator[None, None, WideReading]:
    """A few windows a step. Raises what `score` does."""
    grid = Grid.over(tile, scale)
    seen: dict[Cell, Evidence] = {}
    for start in range(0, len(grid.cells), AT_ONCE):
        windows = {
            cell: field.crop(tile, grid.box(cell)) for cell in grid.cells[start : start + AT_ONCE]
        }
        with_tissue = {cell: window for cell, window in windows.items() if shows_tissue(window)}
        if with_tissue:
            found = score(list(with_tissue.values()))
            seen |= zip(with_tissue, found, strict=True)
        yield
    return WideReading(grid, seen, len(grid.cells) - len(seen))
