"""In which order tiles are read: coarse to fine, soon around whatever looks suspicious, and where
only a few suspicious tiles lie together, half-way between them too."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import shapely

from healer.slides.geometry import Area
from healer.slides.regions import TOP, TileNeighbours, grown_boxes, shows_precursor
from healer.slides.result import TileResult

SHIFTS = (-0.5, 0.0, 0.5)


class ReadingOrder:
    """Iterates over `areas`, given coarse to fine, while `learn` brings forward the unread ones
    that touch a tile whose probability is at least `cut`."""

    def __init__(self, areas: Sequence[Area], cut: float) -> None:
        self._areas, self._cut = areas, cut
        self._read = [False] * len(areas)
        self._urgent: deque[int] = deque()
        self._ordinary = deque(range(len(areas)))
        self._tree = shapely.STRtree(grown_boxes(areas))

    def __iter__(self) -> Iterator[Area]:
        return self

    def __next__(self) -> Area:
        for waiting in (self._urgent, self._ordinary):
            while waiting:
                at = waiting.popleft()
                if not self._read[at]:
                    self._read[at] = True
                    return self._areas[at]
        raise StopIteration

    def learn(self, results: Sequence[TileResult]) -> None:
        suspicious = [each.area for each in results if (each.probability or 0.0) >= self._cut]
        if suspicious:
            found = self._tree.query(grown_boxes(suspicious), predicate="intersects")[1]
            self._urgent.extend(at for at in np.unique(found).tolist() if not self._read[at])


def areas_between(results: Sequence[TileResult], cut: float) -> list[Area]:
    """Areas half a tile off those that are at least `cut`, or show a precursor, where fewer than
    TOP of such touch: a small lesion then has as many tiles that bear it out as a large one."""
    tiles = [each for each in results if (each.probability or 0.0) >= cut or shows_precursor(each)]
    if not tiles:
        return []
    few = TileNeighbours([each.area for each in tiles]).in_groups_below(TOP)
    known = {each.area for each in results}
    wanted: dict[Area, None] = {}
    for at in few:
        area = tiles[at].area
        for down in SHIFTS:
            for across in SHIFTS:
                shifted = Area(
                    area.x + round(across * area.width),
                    area.y + round(down * area.height),
                    area.width,
                    area.height,
                )
                if shifted not in known:
                    wanted[shifted] = None
    return list(wanted)
