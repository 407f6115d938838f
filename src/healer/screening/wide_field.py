"""Fields wider than the model was trained for, read window by window."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from healer.engines.base import Answer, Engine, Evidence, FieldScale, WindowByWindow
from healer.images.tile import Tile
from healer.quality.gate import shows_tissue
from healer.screening.verdict import OF_WINDOWS, Mark, SecondAnswer, Verdict, second_answer

# Of a picture that states none: a scanner at its lower magnification, as most published tiles.
ASSUMED_MPP = 0.5
# Micrometres along the longer side. The built-in model was trained on fields of up to 2.4 times a
# tile of 180 to 270 µm; what other models learnt from is not published.
WIDEST = 650.0
MOST_WINDOWS = 256  # bounds the work that one picture can ask for
LEAST_SIDE = 64  # pixels; a tile must have as many
OVERLAPS = (2.0, 1.5, 1.0)  # windows a window's length, as many as the bound leaves room for


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """What to know of a picture that was answered. `code` is stable."""

    code: str
    measured: float
    threshold: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Box:
    """In pixels of the upright tile."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class WindowAnswer(Box):
    """What was read in one window of a wide field."""

    probability: float
    verdict: Answer


def scale_of(engine: Engine) -> FieldScale | None:
    """None for an engine that scores wide fields whole."""
    return engine.scale if isinstance(engine, WindowByWindow) else None


def extent(tile: Tile) -> float:
    """Micrometres along the longer side, by ASSUMED_MPP where the file states no scale."""
    return max(tile.width, tile.height) * (tile.mpp or ASSUMED_MPP)


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows that overlap, by row and column; `sampled` where they leave gaps."""

    side: int
    xs: tuple[int, ...]
    ys: tuple[int, ...]

    @classmethod
    def over(cls, tile: Tile, scale: FieldScale) -> Grid:
        """Evenly spaced from edge to edge, half over each other where MOST_WINDOWS allows."""
        wanted = max(LEAST_SIDE, round(scale.window / (tile.mpp or ASSUMED_MPP)))
        side = min(wanted, tile.width, tile.height)
        columns, rows = _counts(tile.width, tile.height, side)
        return cls(side, _starts(tile.width, side, columns), _starts(tile.height, side, rows))

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each window, row by row."""
        return [(row, column) for row in range(len(self.ys)) for column in range(len(self.xs))]

    def box(self, cell: tuple[int, int]) -> Box:
        row, column = cell
        return Box(self.xs[column], self.ys[row], self.side, self.side)

    @property
    def sampled(self) -> bool:
        return max(self._steps) > self.side

    @property
    def overlapping(self) -> bool:
        """Whether neighbours share a third of their tissue, or more."""
        return max(self._steps) <= self.side * 0.67

    def neighbours(self, cell: tuple[int, int]) -> list[tuple[int, int]]:
        """Those beside it, where they overlap; some may lie outside the grid."""
        row, column = cell
        beside = [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)]
        return beside if self.overlapping else []

    @property
    def _steps(self) -> tuple[int, int]:
        return _step(self.xs), _step(self.ys)


def _counts(width: int, height: int, side: int) -> tuple[int, int]:
    for overlap in OVERLAPS:
        columns, rows = (
            math.ceil((length - side) * overlap / side) + 1 for length in (width, height)
        )
        if columns * rows <= MOST_WINDOWS:
            return columns, rows
    # Two at least where one does not reach both edges: what lies between them is a gap that shows.
    shrink = 1.0 if rows == 1 else math.sqrt(MOST_WINDOWS / (columns * rows))
    most = MOST_WINDOWS // min(rows, 2)
    fewer = max(min(columns, 2), min(int(columns * shrink), most))
    return fewer, min(rows, MOST_WINDOWS // fewer)


def _starts(length: int, side: int, count: int) -> tuple[int, ...]:
    if count == 1:
        return ((length - side) // 2,)
    return tuple(int(start) for start in np.linspace(0, length - side, count).round())


def _step(starts: Sequence[int]) -> int:
    return max((after - before for before, after in pairwise(starts)), default=0)


def crop(tile: Tile, box: Box) -> Tile:
    """A view of the tile's pixels: nothing is copied."""
    pixels = tile.pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    return Tile(pixels=pixels, mpp=tile.mpp)


def is_wide(tile: Tile, engine: Engine) -> bool:
    return extent(tile) > widest(engine)


def widest(engine: Engine) -> float:
    scale = scale_of(engine)
    return scale.widest if scale else WIDEST


def wide_field_warning(tile: Tile, engine: Engine, rest: str) -> FieldWarning:
    """Of a wide field; `rest` says how it was scored."""
    measured, most = extent(tile), widest(engine)
    assumed = "" if tile.mpp else f", at {ASSUMED_MPP} µm a pixel (assumed: the file does not say)"
    sentence = (
        f"The field is {measured:.0f} µm long{assumed}, and the model looks at fields of up to "
        f"{most:.0f} µm. {rest}"
    )
    return FieldWarning("wide_field", measured, most, sentence)


AT_ONCE = 8  # windows a step
RULE = (
    "Of a wide field, the answer is that of the two overlapping windows most like cancer, of the "
    "lower of the two."
)
RULE_ALONE = "Of so wide a field, the answer is that of the window most like cancer."

Cell = tuple[int, int]
ScoreTiles = Callable[[Sequence[Tile]], Sequence[Evidence]]


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
        answered = {cell: each for cell, each in found.items() if each is not None}
        if not answered:
            return None
        return answered[self.strongest({cell: _weight(each) for cell, each in answered.items()})]

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


def read_windows(
    tile: Tile, scale: FieldScale, score: ScoreTiles
) -> Generator[None, None, WideReading]:
    """A few windows a step. Raises what `score` does."""
    grid = Grid.over(tile, scale)
    seen: dict[Cell, Evidence] = {}
    for start in range(0, len(grid.cells), AT_ONCE):
        windows = {cell: crop(tile, grid.box(cell)) for cell in grid.cells[start : start + AT_ONCE]}
        with_tissue = {cell: window for cell, window in windows.items() if shows_tissue(window)}
        if with_tissue:
            found = score(list(with_tissue.values()))
            seen |= zip(with_tissue, found, strict=True)
        yield
    return WideReading(grid, seen, len(grid.cells) - len(seen))
