"""Tiles that touch, joined to regions: ranked, with box, outline and area."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import fmean
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from healer.engines.base import Answer, Finding
from healer.screening.verdict import Mark
from healer.slides.reader import Area, Resolution
from healer.slides.scoring import TileResult

TOP = 4  # tiles that a region's, and a slide's, score is the mean of
TOUCHING = 0.02  # of a tile's side: tiles may lie so far apart, as their edges are whole pixels

Ring = tuple[tuple[int, int], ...]
Polygon = tuple[Ring, ...]  # the outer ring, then holes; each is closed


class RegionKind(StrEnum):
    CANCER = "cancer"
    PRECURSOR = "precursor"


@dataclass(frozen=True, slots=True)
class Region:
    """Tiles that touch each other and were read alike. `box`, `peak_area` and `outline` are in
    pixels of level 0; `score` is the mean of its TOP highest tiles, those that it lacks counting
    as 0; `findings` are the mean of the same tiles'; `area_mm2` counts overlapping tiles once.

    `mark` is the precursor most often read in it.
    """

    rank: int
    kind: RegionKind
    box: Area
    outline: tuple[Polygon, ...]
    area_mm2: float
    score: float
    peak: float
    peak_area: Area
    tiles: int
    findings: tuple[Finding, ...]
    mark: Mark | None = None

    def as_json(self, resolution: Resolution) -> dict[str, Any]:
        """With its place in mm too."""
        return {
            "rank": self.rank,
            "kind": str(self.kind),
            "mark": str(self.mark) if self.mark else None,
            "box": area_json(self.box),
            "box_mm": area_mm(self.box, resolution),
            "outline": self.outline,
            "outline_mm": [
                [[[_mm(x, resolution.x), _mm(y, resolution.y)] for x, y in ring] for ring in part]
                for part in self.outline
            ],
            "area_mm2": round(self.area_mm2, 4),
            "score": round(self.score, 4),
            "peak": round(self.peak, 4),
            "peak_box": area_json(self.peak_area),
            "tiles": self.tiles,
            "findings": [
                {"name": finding.name, "probability": round(finding.probability, 4)}
                for finding in self.findings
            ],
        }


def area_json(area: Area) -> dict[str, int]:
    return asdict(area)


def area_mm(area: Area, resolution: Resolution) -> dict[str, float]:
    sides = zip(("x", "y", "width", "height"), resolution.mm(area), strict=True)
    return {name: round(length, 4) for name, length in sides}


def _mm(pixels: int, um_per_px: float) -> float:
    return round(pixels * um_per_px / 1000, 4)


class TileNeighbours:
    """Which tiles touch or overlap which, at edges and at corners."""

    def __init__(self, areas: Sequence[Area]) -> None:
        boxes, self._count = grown_boxes(areas), len(areas)
        pairs = shapely.STRtree(boxes).query(boxes, predicate="intersects")
        self._tile, self._beside = pairs[:, pairs[0] != pairs[1]]

    def supported(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each tile the lower of its own value and its best neighbour's, so that one odd tile
        among thousands decides nothing. A tile without neighbours speaks for itself."""
        best = np.full(len(values), -np.inf)
        np.maximum.at(best, self._tile, values[self._beside])
        return np.where(np.isneginf(best), values, np.minimum(values, best))

    def in_groups_below(self, count: int) -> list[int]:
        """The tiles of connected groups that have fewer than `count`."""
        links = (np.ones(len(self._tile)), (self._tile, self._beside))
        _, group = connected_components(coo_array(links, shape=(self._count,) * 2), directed=False)
        return np.flatnonzero(np.bincount(group)[group] < count).tolist()


def find_regions(results: Sequence[TileResult], resolution: Resolution, cut: float) -> list[Region]:
    """Those of tiles whose probability of cancer is at least `cut`, highest score first, then
    those of tiles in which a precursor is likely."""
    cancer = [each for each in results if each.probability is not None and each.probability >= cut]
    chosen = {id(each) for each in cancer}
    precursor = [each for each in results if id(each) not in chosen and shows_precursor(each)]
    return [
        *_ranked(cancer, resolution, RegionKind.CANCER, lambda tile: tile.probability or 0.0),
        *_ranked(precursor, resolution, RegionKind.PRECURSOR, dysplasia_of),
    ]


def dysplasia_of(result: TileResult) -> float:
    return result.second.probability if result.second else 0.0


def shows_precursor(result: TileResult) -> bool:
    second = result.second
    return second is not None and second.verdict is Answer.YES and second.mark is not None


def _ranked(
    tiles: Sequence[TileResult],
    resolution: Resolution,
    kind: RegionKind,
    value: Callable[[TileResult], float],
) -> list[Region]:
    groups = [
        (group, part, top_mean([value(tile) for tile in group])) for group, part in _joined(tiles)
    ]
    groups.sort(key=lambda each: (-each[2], -len(each[0]), each[0][0].area.y, each[0][0].area.x))
    return [
        _region(rank, kind, group, part, score, resolution, value)
        for rank, (group, part, score) in enumerate(groups, 1)
    ]


def top_mean(values: Sequence[float]) -> float:
    """Of the TOP highest; where there are fewer, the rest count as 0."""
    return sum(sorted(values, reverse=True)[:TOP]) / TOP


def _joined(tiles: Sequence[TileResult]) -> list[tuple[list[TileResult], shapely.Geometry]]:
    """The tiles of each connected part, with its shape, still grown by as much as tiles are."""
    if not tiles:
        return []
    boxes = grown_boxes([tile.area for tile in tiles])
    parts = shapely.get_parts(shapely.union_all(boxes))
    groups: dict[int, list[TileResult]] = defaultdict(list)
    inside = shapely.STRtree(parts).query(shapely.centroid(boxes), predicate="intersects")
    for tile, part in inside.T:
        groups[int(part)].append(tiles[tile])
    return [(group, parts[part]) for part, group in groups.items()]


def grown_boxes(areas: Sequence[Area]) -> NDArray[np.object_]:
    x, y, width, height = (
        np.array([(area.x, area.y, area.width, area.height) for area in areas], np.float64)
        .reshape(-1, 4)
        .T
    )
    more = TOUCHING / 2 * np.minimum(width, height)
    grown: NDArray[np.object_] = shapely.box(
        x - more, y - more, x + width + more, y + height + more
    )
    return grown


def _region(
    rank: int,
    kind: RegionKind,
    group: Sequence[TileResult],
    grown: shapely.Geometry,
    score: float,
    resolution: Resolution,
    value: Callable[[TileResult], float],
) -> Region:
    best = sorted(group, key=value, reverse=True)
    shape = _without_gaps(group, grown)
    marks = [tile.second.mark for tile in group if tile.second and tile.second.mark]
    return Region(
        rank=rank,
        kind=kind,
        box=box_around([tile.area for tile in group]),
        outline=rings_of(shape),
        area_mm2=float(shape.area) * resolution.x * resolution.y / 1e6,
        score=score,
        peak=value(best[0]),
        peak_area=best[0].area,
        tiles=len(group),
        findings=mean_findings(best[:TOP]),
        mark=max(marks, key=marks.count) if marks and kind is RegionKind.PRECURSOR else None,
    )


def _without_gaps(group: Sequence[TileResult], grown: shapely.Geometry) -> shapely.Geometry:
    """Gaps of a pixel between tiles are closed by growing all, then shrinking their union."""
    side = min(min(tile.area.width, tile.area.height) for tile in group)
    return shapely.buffer(grown, -TOUCHING / 2 * side, join_style="mitre")


def rings_of(shape: shapely.Geometry) -> tuple[Polygon, ...]:
    """A polygon, or several."""
    return tuple(
        tuple(
            tuple((round(x), round(y)) for x, y in shapely.get_coordinates(ring))
            for ring in (shapely.get_exterior_ring(part), *shapely.get_rings(part)[1:])
        )
        for part in shapely.get_parts(shape)
    )


def box_around(areas: Sequence[Area]) -> Area:
    x, y = min(area.x for area in areas), min(area.y for area in areas)
    right = max(area.x + area.width for area in areas)
    bottom = max(area.y + area.height for area in areas)
    return Area(x, y, right - x, bottom - y)


def mean_findings(tiles: Sequence[TileResult]) -> tuple[Finding, ...]:
    """Highest first."""
    shares: dict[str, list[float]] = defaultdict(list)
    for tile in tiles:
        for finding in tile.findings:
            shares[finding.name].append(finding.probability)
    means = [Finding(name, fmean(values)) for name, values in shares.items()]
    return tuple(sorted(means, key=lambda finding: -finding.probability))
