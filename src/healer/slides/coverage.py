"""How much of the tissue was read, and why the rest was not, in mm²."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from healer.slides.geometry import Area
from healer.slides.result import TileResult
from healer.slides.tissue import Mask

LEAST_COVERAGE = 0.95  # of the tissue, before a slide is answered with "no"
UNVISITED, UNREADABLE, FIRST_REASON, READ = 0, 1, 2, 255


@dataclass(frozen=True, slots=True)
class Coverage:
    """mm² of tissue: `read` by the model, `excluded` by the gate for each of its reasons,
    `unreadable` in the file, and `unvisited`. They add up to `tissue`."""

    tissue: float
    read: float
    excluded: Mapping[str, float]
    unreadable: float
    unvisited: float

    @property
    def share(self) -> float:
        """Of the tissue; 0 where there is none."""
        return self.read / self.tissue if self.tissue else 0.0

    def as_json(self) -> dict[str, object]:
        return {
            "tissue_mm2": round(self.tissue, 4),
            "read_mm2": round(self.read, 4),
            "excluded_mm2": {code: round(area, 4) for code, area in self.excluded.items()},
            "unreadable_mm2": round(self.unreadable, 4),
            "unvisited_mm2": round(self.unvisited, 4),
            "read_share": round(self.share, 4),
        }

    def in_words(self) -> str:
        """One sentence: what was read, and what not."""
        missing = [
            *(
                f"{area:.2f} mm² excluded as {code.replace('_', ' ')}"
                for code, area in self.excluded.items()
            ),
            *([f"{self.unreadable:.2f} mm² unreadable in the file"] * (self.unreadable > 0)),
            *([f"{self.unvisited:.2f} mm² not visited"] * (self.unvisited > 0)),
        ]
        rest = f"; {', '.join(missing)}" if missing else ""
        return f"{self.read:.2f} of {self.tissue:.2f} mm² of tissue were read{rest}."


class CoverageLedger:
    """Each pixel of the tissue mask has one fate, so that tiles that overlap count once. What was
    read in any tile is read; what was excluded in one and unreadable in another is excluded."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._fates = np.where(mask.unreadable, UNREADABLE, UNVISITED).astype(np.uint8)
        self._codes: list[str] = []

    def add(self, result: TileResult) -> None:
        block = self._fates[self._mask.pixels(result.area)]
        np.maximum(block, self._fate(result), out=block)

    def tissue_mm2(self, area: Area) -> float:
        """Of the tissue whose pixels have their centres in `area`."""
        return float(np.count_nonzero(self._mask.part(area)) * self._mask.mm2_per_px)

    def covered_mm2(self, areas: Iterable[Area]) -> float:
        """Of the tissue in any of `areas`."""
        covered = np.zeros_like(self._mask.tissue)
        for area in areas:
            covered[self._mask.pixels(area)] = True
        return float(np.count_nonzero(covered & self._mask.tissue) * self._mask.mm2_per_px)

    def coverage(self) -> Coverage:
        counts = np.bincount(self._fates[self._mask.tissue], minlength=256) * self._mask.mm2_per_px
        excluded = {
            code: float(counts[FIRST_REASON + at])
            for at, code in enumerate(self._codes)
            if counts[FIRST_REASON + at]
        }
        return Coverage(
            tissue=self._mask.mm2,
            read=float(counts[READ]),
            excluded=excluded,
            unreadable=float(counts[UNREADABLE]),
            unvisited=float(counts[UNVISITED]),
        )

    def _fate(self, result: TileResult) -> int:
        if result.problem is not None:
            return UNREADABLE
        if result.probability is not None:
            return READ
        code = result.reasons[0] if result.reasons else "not_scored"
        if code not in self._codes:
            self._codes.append(code)
        return FIRST_REASON + self._codes.index(code)
