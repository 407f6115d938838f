"""Fits, measures and ships how unlike the training tiles a tile is: `python -m training unlike`.

Whatever is reported as left out was left out of the Gaussians. The features themselves come from
backbones that were trained on EBHI-Seg alone; of its tiles, each member is used on those whose case
it never saw.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.engines.builtin.engine import MODEL_FOLDER, NETWORK, UNLIKE, Gaussians
from training import clusters, shipped, unlike_tiles
from training.kather import TISSUES
from training.unlike_tiles import (
    EVERY,
    HOME,
    KATHER,
    KATHER_SIMULATED,
    KATHER_TIMES,
    KATHER_VIEWS,
    SAMPLES,
    SHIFTED,
    SIDES,
    SIMULATED,
    VIEWS,
    Features,
    Sources,
)

RESULTS = Path(__file__).parent / "unlike.json"
BEGIN = "<!-- unlike training: python -m training unlike -->"
END = "<!-- end of unlike training -->"
SHRINKAGE = 0.3
TOLERATED = 0.02  # of tiles of colorectal tissue
STEP = 0.05  # of the threshold

Rows = NDArray[np.bool_]
Distances = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Features of every set, and what says which rows to leave out."""

    features: Mapping[str, Features]
    unseen_by: NDArray[np.int64]  # of each home tile, the member that never saw its case
    stains: NDArray[np.int64]
    kather_labels: NDArray[np.str_]
    kather_folds: NDArray[np.int64]

    @property
    def members(self) -> int:
        return int(self.features[HOME].shape[1])

    def of_views(self, rows: Rows) -> Rows:
        """The same rows of Kather's views."""
        return np.repeat(rows, KATHER_TIMES)


@dataclass(frozen=True)
class Measured:
    """`calm` sets are colorectal tissue that decides the threshold."""

    title: str
    tiles: int
    median: float
    unlike: float
    calm: bool


def known(sources: Sources, runs: Path) -> Known:
    return Known(
        unlike_tiles.features(sources, runs),
        shipped.unseen_by(sources.home),
        clusters.clusters(sources.home),
        sources.kather.labels,
        sources.kather.folds,
    )


def fitted(given: Known, home: Rows | None = None, kather: Rows | None = None) -> Gaussians:
    """On training tiles of EBHI-Seg in rows `home` and of Kather in rows `kather`; all, if None."""
    home = np.ones(len(given.unseen_by), bool) if home is None else home
    kather = np.ones(len(given.kather_labels), bool) if kather is None else kather
    parts = [_member(given, member, home, kather) for member in range(given.members)]
    centre, whitening, usual = (np.stack(each) for each in zip(*parts, strict=True))
    return Gaussians(
        centre.astype(np.float32), whitening.astype(np.float32), usual.astype(np.float32), math.inf
    )


def _member(
    given: Known, member: int, home: Rows, kather: Rows
) -> tuple[NDArray[np.float64], NDArray[np.float64], np.float64]:
    """Centre, whitening and the usual distance of tiles that the member never saw."""
    features = given.features
    trained = home & (given.unseen_by != member)
    parts = [features[name][trained, member] for name in (HOME, VIEWS, SIMULATED)]
    parts += [features[KATHER][kather, member]] * KATHER_TIMES
    of_views = given.of_views(kather)
    parts += [features[name][of_views, member] for name in (KATHER_VIEWS, KATHER_SIMULATED)]
    tiles = np.concatenate(parts).astype(np.float64)
    centre, spread = tiles.mean(0), tiles.std(0) + 1e-3
    values, vectors = np.linalg.eigh(np.cov(((tiles - centre) / spread).T))
    values = (1 - SHRINKAGE) * values + SHRINKAGE * values.mean()
    whitening = vectors / np.sqrt(values) / spread[:, None]
    unseen = features[HOME][home & (given.unseen_by == member), member]
    return centre, whitening, np.median(_distances(unseen, centre, whitening))


def _distances(
    tiles: Features, centre: NDArray[np.float64], whitening: NDArray[np.float64]
) -> Distances:
    return np.asarray(np.sqrt((((tiles - centre) @ whitening) ** 2).mean(1)))


def unseen_distances(gaussians: Gaussians, tiles: Features, member: NDArray[np.int64]) -> Distances:
    """Each by one member: the one that never saw its case."""
    found = np.empty(len(tiles))
    for at in range(tiles.shape[1]):
        rows = member == at
        distances = _distances(
            tiles[rows, at],
            gaussians.centre[at].astype(np.float64),
            gaussians.whitening[at].astype(np.float64),
        )
        found[rows] = distances / gaussians.usual[at]
    return found


@dataclass(frozen=True)
class Distanced:
    title: str
    distances: Distances
    calm: bool = False


def at_home(given: Known, whole: Gaussians) -> list[Distanced]:
    found = [
        Distanced(
            title,
            unseen_distances(whole, given.features[name], given.unseen_by[::every]),
            name not in {"shift-scale-0.5", "shift-scale-2"},
        )
        for name, title, every in (
            (HOME, "EBHI-Seg, cases left out", 1),
            (SIMULATED, "the same, simulated laboratories and fields", 1),
            *((name, f"the same, {title}", EVERY) for name, title in SHIFTED.items()),
        )
    ]
    for stain in range(clusters.CLUSTERS):
        rows = given.stains == stain
        without = fitted(given, home=~rows)
        found.append(
            Distanced(
                f"EBHI-Seg, stain cluster {stain + 1} left out",
                unseen_distances(without, given.features[HOME][rows], given.unseen_by[rows]),
                calm=True,
            )
        )
    return found


def kather_rows(given: Known, left_out: Sequence[str]) -> list[Distanced]:
    """Tile groups left out; then the whole source; then a class of it."""
    labels, tiles = given.kather_labels, given.features[KATHER]
    grouped = np.empty(len(labels))
    for fold in np.unique(given.kather_folds):
        rows = given.kather_folds == fold
        grouped[rows] = fitted(given, kather=~rows).distances(tiles[rows])
    source = fitted(given, kather=np.zeros(len(labels), bool)).distances(tiles)
    taught = np.isin(labels, ["tumor", "mucosa"])
    found = [
        Distanced("Kather, tile groups left out", grouped, calm=True),
        Distanced("Kather, all of it left out: tumour and mucosa", source[taught], calm=True),
        Distanced("Kather, all of it left out: other tissue", source[~taught]),
    ]
    for label in left_out:
        rows = labels == label
        distances = fitted(given, kather=~rows).distances(tiles[rows])
        found.append(Distanced(f"Kather, class left out: {label}", distances))
    return found


def elsewhere(given: Known, whole: Gaussians) -> list[Distanced]:
    found = [Distanced("samples of NCT-CRC and CRC-VAL", whole.distances(given.features[SAMPLES]))]
    for slide, sides in SIDES.items():
        found += [
            Distanced(
                f"{slide}, squares of {side} px", whole.distances(given.features[f"{slide}-{side}"])
            )
            for side in sides
        ]
    return found


def threshold_of(found: Sequence[Distanced]) -> float:
    """The least step at which no calm set has more than TOLERATED above it."""
    needed = max(
        float(np.quantile(each.distances, 1 - TOLERATED, method="higher"))
        for each in found
        if each.calm
    )
    return round(math.ceil(needed / STEP) * STEP, 2)


def measure(given: Known, left_out: Sequence[str] = TISSUES) -> tuple[Gaussians, list[Measured]]:
    """Each class of Kather in `left_out` is left out once."""
    whole = fitted(given)
    found = [*at_home(given, whole), *kather_rows(given, left_out), *elsewhere(given, whole)]
    threshold = threshold_of(found)
    whole = Gaussians(whole.centre, whole.whitening, whole.usual, threshold)
    return whole, [
        Measured(
            each.title,
            len(each.distances),
            round(float(np.median(each.distances)), 3),
            round(float(np.mean(each.distances > threshold)), 4),
            each.calm,
        )
        for each in found
    ]


def ship(gaussians: Gaussians, folder: Path = MODEL_FOLDER) -> Path:
    """Beside the network whose features it is of."""
    file = folder / UNLIKE
    file.write_bytes(gaussians.to_bytes(sha256_of(folder)))
    return file


def sha256_of(folder: Path) -> str:
    return hashlib.sha256((folder / NETWORK).read_bytes()).hexdigest()


def write(gaussians: Gaussians, rows: Sequence[Measured], file: Path = RESULTS) -> None:
    results = {"threshold": gaussians.threshold, "sets": [asdict(row) for row in rows]}
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def table(file: Path = RESULTS) -> str:
    results = json.loads(file.read_text(encoding="utf-8"))
    lines = [
        f"| tiles | number | median distance | warned, above {results['threshold']:.2f} |",
        "|---|---|---|---|",
    ]
    for row in results["sets"]:
        mark = " *" if row["calm"] else ""
        lines.append(
            f"| {row['title']}{mark} | {row['tiles']} | {row['median']:.2f} | {row['unlike']:.1%} |"
        )
    return "\n".join(lines)
