"""Whether a calibration can be refitted to a laboratory without labels: `python -m training adapt`.

Each place is left out of the fit: a stain cluster of EBHI-Seg, a simulated scanner (its tiles, not
their cases), Kather 2016. What a user could do there with unlabelled tiles alone is done, and its
answers are compared with those of the calibration as it is, and with Platt's scaling of the place's
own labels, which no unlabelled method can have.

    prior         expectation-maximisation of the share of cancer (Saerens et al. 2002)
    location      the margins' mean and spread made those of the fit
    quantiles     the margins' whole distribution made that of the fit
    colours       optical density of all tiles of the place whitened and coloured as at home
                  (CORAL, Sun et al. 2016, on the three channels), then scored
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from healer.engines.builtin.engine import network_input
from healer.evaluation.calibrate import Fit, Points, platt, points_everywhere, verdicts_of
from healer.evaluation.metrics import calibration_error
from healer.evaluation.shifts import NONE, SHIFTS
from training import augment, clusters, evaluate, kather, metrics, shipped
from training.data import CANCER_INDEX, Tiles
from training.kather import KatherTiles
from training.unlike_tiles import Picture

RESULTS = Path(__file__).parent / "adapt.json"
BEGIN = "<!-- without labels: python -m training adapt -->"
END = "<!-- end of without labels -->"
SCANNERS = 6
EVERY = 6  # of the home tiles, by each simulated scanner
PRIORS = (None, 0.1, 0.7)  # share of cancer among a place's tiles; None is as they are
STEPS = 200  # of expectation-maximisation
DENSITY_FLOOR = 8.0

Reals = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Home:
    """What a calibration was fitted on, and that calibration."""

    margins: Reals
    truth: Truth
    fit: Fit
    points: Points

    @classmethod
    def of(cls, margins: Reals, truth: Truth, shifted: Sequence[Reals] = ()) -> Home:
        """`shifted` are margins of the same tiles under shifts: the cuts hold there too."""
        fit = platt(margins, truth)
        everywhere = [fit.probabilities(each) for each in (margins, *shifted)]
        return cls(margins, truth, fit, points_everywhere(everywhere, truth))


@dataclass(frozen=True)
class Place:
    """`recoloured` are margins of the same tiles in the colours of home."""

    kind: str
    home: Home
    margins: Reals
    recoloured: Reals
    truth: Truth

    def take(self, rows: NDArray[np.int64]) -> Place:
        return Place(
            self.kind, self.home, self.margins[rows], self.recoloured[rows], self.truth[rows]
        )


def new_prior(probabilities: Reals, prior: float) -> Reals:
    """Probabilities under the share of cancer that makes them likeliest."""
    odds = probabilities / (1 - probabilities).clip(1e-12)
    share = prior
    for _ in range(STEPS):
        found = odds * (share / prior) * ((1 - prior) / (1 - share))
        share = float(np.clip(np.mean(found / (1 + found)), 0.01, 0.99))
    found = odds * (share / prior) * ((1 - prior) / (1 - share))
    return np.asarray(found / (1 + found))


def as_it_is(place: Place) -> Reals:
    return place.home.fit.probabilities(place.margins)


def by_prior(place: Place) -> Reals:
    return new_prior(as_it_is(place), float(place.home.truth.mean()))


def by_location(place: Place) -> Reals:
    home, here = place.home.margins, place.margins
    moved = (here - here.mean()) / here.std() * home.std() + home.mean()
    return place.home.fit.probabilities(moved)


def by_quantiles(place: Place) -> Reals:
    ranks = (np.argsort(np.argsort(place.margins)) + 0.5) / len(place.margins)
    return place.home.fit.probabilities(np.quantile(place.home.margins, ranks))


def by_colours(place: Place) -> Reals:
    return place.home.fit.probabilities(place.recoloured)


def with_labels(place: Place) -> Reals:
    return platt(place.margins, place.truth).probabilities(place.margins)


PLAIN = "as it is"
METHODS: dict[str, Callable[[Place], Reals]] = {
    PLAIN: as_it_is,
    "prior": by_prior,
    "location": by_location,
    "quantiles": by_quantiles,
    "colours": by_colours,
    "Platt with the labels": with_labels,
}


def densities(tiles: Sequence[Picture]) -> Reals:
    """Optical density of some pixels of every tile: (pixels, 3)."""
    pixels = np.concatenate([tile[::8, ::8].reshape(-1, 3) for tile in tiles])
    return np.asarray(-np.log((pixels + DENSITY_FLOOR) / (255 + DENSITY_FLOOR)), np.float64)


@dataclass(frozen=True)
class Recolouring:
    """Of optical density: (density - here) @ turn + home."""

    here: Reals
    turn: Reals
    home: Reals

    @classmethod
    def fitted(cls, here: Reals, home: Reals) -> Recolouring:
        turn = _root(np.cov(here.T), -0.5) @ _root(np.cov(home.T), 0.5)
        return cls(here.mean(0), turn, home.mean(0))

    def __call__(self, tile: Picture) -> Picture:
        density = -np.log((tile + DENSITY_FLOOR) / (255 + DENSITY_FLOOR))
        moved = (density - self.here) @ self.turn + self.home
        colour = (255 + DENSITY_FLOOR) * np.exp(-moved) - DENSITY_FLOOR
        return np.asarray(colour.clip(0, 255).round().astype(np.uint8))


def _root(matrix: Reals, power: float) -> Reals:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values.clip(1e-6) ** power) @ vectors.T)


def scanned(tile: Picture, seed: int) -> Picture:
    """By one scanner of one laboratory, which changes every tile in the same way."""
    source = torch.Generator().manual_seed(seed)
    pixels = torch.from_numpy(np.ascontiguousarray(tile)).permute(2, 0, 1)[None].float() / 255
    changed = augment.augment(pixels, source)[0].permute(1, 2, 0)
    return np.asarray((changed * 255).round().byte().numpy())


class Network:
    """Margins by the member that never saw a tile's case."""

    def __init__(self) -> None:
        self._session = shipped.session()

    def margins(self, tiles: Sequence[Picture], members: NDArray[np.int64], title: str) -> Reals:
        pairs = list(zip(tiles, members, strict=True))
        scores = np.concatenate(
            [
                shipped.one(self._session, network_input(tile), int(member))
                for tile, member in track(pairs, title)
            ]
        )
        return np.asarray(metrics.margin(scores, CANCER_INDEX), np.float64)


class OutOfFold:
    """Margins at home, as published, and under each shift."""

    def __init__(self, tiles: Tiles) -> None:
        with evaluate.ANSWERS.open(newline="", encoding="utf-8") as file:
            rows = {(row["shift"], row["path"]): row["margin"] for row in csv.DictReader(file)}
        self.truth = tiles.labels == CANCER_INDEX
        self.by_shift = {
            shift: np.array([float(rows[shift, path]) for path in tiles.paths]) for shift in SHIFTS
        }

    def fitted(self, rows: Truth) -> Home:
        plain, *shifted = (margins[rows] for margins in self.by_shift.values())
        return Home.of(plain, self.truth[rows], shifted)


def stain_clusters(tiles: Tiles, network: Network, home: OutOfFold) -> Iterator[Place]:
    members, groups = shipped.unseen_by(tiles), clusters.clusters(tiles)
    plain = home.by_shift[NONE]
    for cluster in range(clusters.CLUSTERS):
        here = groups == cluster
        recolour = Recolouring.fitted(
            densities(list(tiles.pixels[here])), densities(list(tiles.pixels[~here]))
        )
        recoloured = network.margins(
            [recolour(tile) for tile in tiles.pixels[here]], members[here], "Stain clusters"
        )
        kind, fitted = "stain clusters of EBHI-Seg", home.fitted(~here)
        yield Place(kind, fitted, plain[here], recoloured, home.truth[here])


def scanners(tiles: Tiles, network: Network, home: OutOfFold) -> Iterator[Place]:
    """The same scanner is also met with fewer and with more cancers."""
    members = shipped.unseen_by(tiles)
    rows = np.arange(len(tiles))[::EVERY]
    elsewhere = ~np.isin(np.arange(len(tiles)), rows)
    fitted = home.fitted(elsewhere)
    at_home = densities(list(tiles.pixels[elsewhere]))
    for seed in range(SCANNERS):
        pictures = [scanned(tile, 700 + seed) for tile in tiles.pixels[rows]]
        recolour = Recolouring.fitted(densities(pictures), at_home)
        title = f"Simulated scanner {seed + 1}"
        place = Place(
            "simulated scanners",
            fitted,
            network.margins(pictures, members[rows], title),
            network.margins([recolour(tile) for tile in pictures], members[rows], title),
            home.truth[rows],
        )
        yield from resampled(place, np.random.default_rng(seed))


def resampled(place: Place, rng: np.random.Generator) -> Iterator[Place]:
    yes, no = np.flatnonzero(place.truth), np.flatnonzero(~place.truth)
    for prior in PRIORS:
        if prior is None:
            yield place
            continue
        count = int(min(len(yes) / prior, len(no) / (1 - prior)))
        chosen = [rng.permutation(yes)[: round(count * prior)]]
        chosen.append(rng.permutation(no)[: round(count * (1 - prior))])
        found = place.take(np.concatenate(chosen))
        kind = f"{place.kind}, {prior:.0%} cancer"
        yield Place(kind, found.home, found.margins, found.recoloured, found.truth)


def other_hospital(tiles: Tiles, other: KatherTiles, network: Network, home: OutOfFold) -> Place:
    """Kather's tumour against all its other tissue, without `complex`."""
    clear = other.labels != kather.COMPLEX
    pictures, members = list(other.pixels[clear]), other.folds[clear]
    recolour = Recolouring.fitted(densities(pictures), densities(list(tiles.pixels)))
    return Place(
        "Kather 2016",
        home.fitted(np.ones(len(tiles), bool)),
        network.margins(pictures, members, "Kather"),
        network.margins([recolour(tile) for tile in pictures], members, "Kather"),
        other.labels[clear] == "tumor",
    )


def places(tiles: Tiles, other: KatherTiles) -> Iterator[Place]:
    network, home = Network(), OutOfFold(tiles)
    yield from stain_clusters(tiles, network, home)
    yield from scanners(tiles, network, home)
    yield other_hospital(tiles, other, network, home)


def figures(place: Place, probabilities: Reals) -> dict[str, float]:
    points = place.home.points
    said = np.where(probabilities >= points.upper, 1, -1)
    between = (probabilities > points.lower) & (probabilities < points.upper)
    verdicts = verdicts_of(place.truth, np.where(between, 0, said))
    return {
        "ece": calibration_error(place.truth, probabilities),
        "brier": float(np.mean((probabilities - place.truth) ** 2)),
        "auroc": float(roc_auc_score(place.truth, probabilities)),
        "yes_called_no": verdicts["yes_called_no"],
        "no_called_yes": verdicts["no_called_yes"],
        "indeterminate": verdicts["indeterminate"],
    }


def measure(found: Iterable[Place]) -> dict[str, dict[str, dict[str, float]]]:
    """Kind of place → method → mean figures over the places of that kind, and in how many of them
    the Brier score is lower than as it is."""
    by_kind: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for place in found:
        for name, method in METHODS.items():
            by_kind[place.kind][name].append(figures(place, method(place)))
    return {
        kind: {
            name: _mean(rows) | {"places": len(rows), "better": _better(rows, methods[PLAIN])}
            for name, rows in methods.items()
        }
        for kind, methods in by_kind.items()
    }


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(float(np.nanmean([row[name] for row in rows])), 4) for name in rows[0]}


def _better(rows: Sequence[Mapping[str, float]], plain: Sequence[Mapping[str, float]]) -> int:
    return sum(row["brier"] < was["brier"] for row, was in zip(rows, plain, strict=True))


def write(results: Mapping[str, object], file: Path = RESULTS) -> None:
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def table(file: Path = RESULTS) -> str:
    head = (
        "| place left out | method | better in | ECE | Brier | AUROC | cancer called no "
        "| the rest called yes | indeterminate |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for kind, methods in json.loads(file.read_text(encoding="utf-8")).items():
        for name, row in methods.items():
            values = [f"{row[key]:.3f}" for key in ("ece", "brier", "auroc")]
            verdicts = ("yes_called_no", "no_called_yes", "indeterminate")
            values += [f"{row[key]:.1%}" for key in verdicts]
            better = "–" if name == PLAIN else f"{row['better']} of {row['places']}"
            lines.append(f"| {kind} | {name} | {better} | {' | '.join(values)} |")
    return "\n".join(lines)
