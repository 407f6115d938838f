"""The figures of every example, measured once and kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.images.tile import Tile
from healer.quality.gate import gate_figures
from training.gate import examples
from training.gate.examples import Example, Random
from training.gate.pictures import gather

EVERY_SEVENTH = slice(None, None, 7)


@dataclass(frozen=True)
class Table:
    """A row an example: `part` is where it came from, `package` set for pictures found."""

    names: NDArray[np.str_]
    figures: NDArray[np.float32]
    part: NDArray[np.str_]
    kind: NDArray[np.str_]
    source: NDArray[np.str_]
    histology: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.kind)

    def column(self, name: str) -> NDArray[np.float32]:
        return self.figures[:, list(self.names).index(name)]

    def take(self, rows: NDArray[np.bool_]) -> Table:
        return Table(self.names, *(getattr(self, field.name)[rows] for field in fields(self)[1:]))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, allow_pickle=False, **{f.name: getattr(self, f.name) for f in fields(self)}
        )

    @classmethod
    def load(cls, path: Path) -> Table:
        with np.load(path) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def measured(part: str, found: Iterable[Example]) -> Table:
    rows = [(e, gate_figures(Tile(e.pixels))) for e in found]
    names = sorted(rows[0][1])
    return Table(
        np.array(names),
        np.array([[figures[name] for name in names] for _, figures in rows], np.float32),
        np.array([part] * len(rows)),
        np.array([e.kind for e, _ in rows]),
        np.array([e.source for e, _ in rows]),
        np.array([e.histology for e, _ in rows]),
    )


def build(data: Path, pictures: Path, workers: int) -> Table:
    """Every part, each with its own seed, so that none depends on another."""
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(partial(_part, data=data, pictures=pictures), PARTS))
    columns = [np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Table)[1:]]
    return Table(parts[0].names, *columns)


def _part(name: str, data: Path, pictures: Path) -> Table:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return measured(name, PARTS[name](data, pictures, random))


def _tiles(data: Path) -> list[Example]:
    """The samples of tissue, and a seventh of EBHI-Seg, with the samples as often as it."""
    few = examples.ebhi(data / "ebhi-seg")[EVERY_SEVENTH]
    return few + _tissue(data) * 8


def _tissue(data: Path) -> list[Example]:
    return [tile for tile in examples.samples(data / "samples") if tile.histology]


def _glass(data: Path) -> list[Example]:
    return [tile for tile in examples.samples(data / "samples") if not tile.histology]


def _ebhi(data: Path) -> list[Example]:
    return examples.ebhi(data / "ebhi-seg")


PARTS: dict[str, Callable[[Path, Path, Random], Iterable[Example]]] = {
    "pictures": lambda _, p, r: examples.crops(gather(p), r),
    "ebhi elsewhere": lambda d, _, r: examples.elsewhere(_ebhi(d), 1, r),
    "samples elsewhere": lambda d, _, r: examples.elsewhere(_tissue(d), 80, r),
    "ebhi": lambda d, _, __: _ebhi(d),
    "samples": lambda d, _, __: _tissue(d),
    "overviews": lambda d, _, r: examples.overviews(_ebhi(d), 300, r),
    "drawn": lambda _, __, r: examples.drawn(150, r),
    "altered": lambda d, _, r: examples.altered(_tiles(d), 80, r),
    "coloured": lambda d, p, r: examples.coloured_like_tissue(gather(p), _tiles(d), 800, r),
    "glass": lambda d, _, r: examples.empty_elsewhere(_glass(d), 20, r),
    "mixed": lambda d, _, r: examples.elsewhere(_tiles(d), 4, r),
}
