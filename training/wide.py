"""How wide fields are read, out of fold: mosaics of tiles that one network alone has never seen.

A field of 3100 × 2088 px has fifteen patches, each of one case's tiles; one of them may be another
class. Every field is of one fold's cases, and read by the network that never saw that fold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from healer.engines.base import Answer
from healer.engines.builtin.engine import BuiltinEngine
from healer.engines.builtin.session import SCORES, Outputs
from healer.images.tile import Tile
from healer.screening import calibration
from healer.screening.opening import SHIPPED
from healer.screening.screener import Score, Screener
from healer.screening.verdict import Mark
from training import crossval, shipped
from training.data import LABELS, TILE, Tiles

RESULTS = Path(__file__).parent / "wide.json"
BEGIN = "<!-- wide fields: python -m training wide -->"
END = "<!-- end of wide fields -->"
WIDTH, HEIGHT, ACROSS, DOWN = 3100, 2088, 620, 696
SCALES = (1.0, 1.6, 2.0)  # pixels of the field a pixel of the tile
TIMES = 2  # fields of each kind, fold and scale
# The classes of most patches, and that of the odd one out.
KINDS = {
    "normal and polyp": (("normal", "polyp"), None),
    "normal and polyp, one patch adenocarcinoma": (("normal", "polyp"), "adenocarcinoma"),
    "normal and polyp, one patch high-grade": (("normal", "polyp"), "high-grade-in"),
    "low-grade": (("low-grade-in",), None),
}


@dataclass(frozen=True)
class Read:
    """One field; `found` says whether its most suspicious window touches the odd patch."""

    kind: str
    verdict: str
    second: str
    mark: str | None
    found: bool | None


class Member(BuiltinEngine):
    """One of the networks that ship, alone."""

    def __init__(self, member: int) -> None:
        super().__init__(threads=1)
        self._members, self._member = shipped.session(), member

    def _several(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
        return [{SCORES: shipped.one(self._members, each, self._member)} for each in inputs]


def measure(tiles: Tiles) -> list[Read]:
    reads = []
    for member in track(crossval.members(1), "Wide fields, fold by fold"):
        engine = Member(member.fold)
        screener = Screener(engine, calibration.load_calibration(SHIPPED, engine.info))
        _, rows = crossval.rows_of(tiles, member)
        rng = np.random.default_rng(member.fold)
        reads += [read(screener, *field) for field in fields(tiles.take(rows), rng)]
        engine.close()
    return reads


Field = tuple[str, NDArray[np.uint8], tuple[int, int] | None]


def fields(tiles: Tiles, rng: np.random.Generator) -> Iterator[Field]:
    """Each with its kind and the upper left corner of the odd patch."""
    for scale in SCALES * TIMES:
        for kind, (most, odd) in KINDS.items():
            pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
            corners = [(x, y) for y in range(0, HEIGHT, DOWN) for x in range(0, WIDTH, ACROSS)]
            for x, y in corners:
                pixels[y : y + DOWN, x : x + ACROSS] = patch(tiles, most, scale, rng)
            corner = None
            if odd is not None:
                corner = x, y = corners[rng.integers(len(corners))]
                pixels[y : y + DOWN, x : x + ACROSS] = patch(tiles, (odd,), scale, rng)
            yield kind, pixels, corner


def patch(
    tiles: Tiles, labels: Sequence[str], scale: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Tiles of one case of these classes, turned at random, side by side."""
    expected = np.isin(tiles.labels, [LABELS.index(label) for label in labels])
    mine = np.flatnonzero(expected & (tiles.cases == rng.choice(np.unique(tiles.cases[expected]))))
    side = round(TILE * scale)
    pixels = np.empty((DOWN, ACROSS, 3), np.uint8)
    for y in range(0, DOWN, side):
        for x in range(0, ACROSS, side):
            tile = np.rot90(tiles.pixels[rng.choice(mine)], int(rng.integers(4)))
            image = Image.fromarray(np.ascontiguousarray(tile)).resize((side, side))
            part = pixels[y : y + side, x : x + side]
            part[:] = np.asarray(image)[: part.shape[0], : part.shape[1]]
    return pixels


def read(
    screener: Screener, kind: str, pixels: NDArray[np.uint8], corner: tuple[int, int] | None
) -> Read:
    (scored,) = screener.score([Tile(pixels)])
    second = scored.second
    return Read(
        kind,
        scored.verdict.answer.value,
        second.verdict.value if second else "",
        second.mark.value if second and second.mark else None,
        None if corner is None else touches(scored, *corner),
    )


def touches(scored: Score, x: int, y: int) -> bool:
    window = max(scored.windows or (), key=lambda window: window.probability)
    return x - window.width < window.x < x + ACROSS and y - window.height < window.y < y + DOWN


def write(reads: Sequence[Read], file: Path = RESULTS) -> None:
    lines = ",\n ".join(json.dumps(asdict(each)) for each in reads)
    file.write_text(f"[{lines}]\n", encoding="utf-8")


def table(file: Path = RESULTS) -> str:
    reads = [Read(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
    head = (
        "| patches | fields | no / indeterminate / yes | most suspicious window touches the odd "
        "patch | second answer: no / indeterminate / yes | marked high-grade |"
    )
    lines = [head, "|---|---|---|---|---|---|"]
    for kind in KINDS:
        mine = [each for each in reads if each.kind == kind]
        odd = [each.found for each in mine if each.found is not None]
        found = f"{sum(odd)} of {len(odd)}" if odd else "–"
        marked = sum(each.mark == Mark.HIGH_GRADE for each in mine)
        first, second = (
            counts([getattr(each, name) for each in mine]) for name in ("verdict", "second")
        )
        lines.append(f"| {kind} | {len(mine)} | {first} | {found} | {second} | {marked} |")
    return "\n".join(lines)


def counts(answers: Sequence[str]) -> str:
    order = (Answer.NO, Answer.INDETERMINATE, Answer.YES)
    return " / ".join(str(answers.count(each)) for each in order)
