"""Tiles of known answer, in every layout they come in.

A folder with `index.csv`, a CSV file, a folder per class, a MedMNIST `.npz`, or a zip or tar of
any of these. Nothing is decoded here: an item's pixels are read when they are asked for.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from healer.errors import DatasetNotFound, DatasetUnreadable, FileNotReadable, TooManyBytes
from healer.evaluation.known import KNOWN, PATHMNIST_CLASSES, Known
from healer.evaluation.labels import Mapping, plain
from healer.imaging import Tile, decode

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
MASKS = frozenset({"label", "labels", "mask", "masks", "__macosx"})
INDEX = "index.csv"
LEAST_TO_RECOGNISE = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One tile: `path` names it within its dataset, `positive` is whether yes is right."""

    path: str
    label: str
    case_id: str
    positive: bool


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    max_pixels: int


class Source(Protocol):
    def tile(self, path: str, limits: Limits) -> Tile:
        """Raises RequestError where it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    folder: Path

    def tile(self, path: str, limits: Limits) -> Tile:
        try:
            if (self.folder / path).stat().st_size > limits.max_bytes:
                raise TooManyBytes(limits.max_bytes)
            data = (self.folder / path).read_bytes()
        except OSError as error:
            raise FileNotReadable(error.strerror or type(error).__name__) from None
        return decode(data, max_pixels=limits.max_pixels)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Images of shape (n, height, width, 3), addressed as `name/row`."""

    images: NDArray[np.uint8]

    def tile(self, path: str, limits: Limits) -> Tile:  # noqa: ARG002 - the protocol's signature
        return Tile(pixels=self.images[int(path.rpartition("/")[2])])


@dataclass(frozen=True)
class Dataset:
    """`left_out` counts tiles by class that take no part; `has_cases` is False where each tile
    had to be taken as its own case."""

    name: str
    items: tuple[Item, ...]
    source: Source = field(repr=False)
    has_cases: bool
    left_out: dict[str, int]
    known: Known | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with any tile's name, class, case or answer."""
        rows = "\n".join(repr((i.path, i.label, i.case_id, i.positive)) for i in self.items)
        return hashlib.sha256(rows.encode()).hexdigest()[:16]

    def limited(self, count: int | None) -> Dataset:
        """At most `count` tiles, evenly spread, so that no class or case is cut off."""
        if count is None or count >= len(self.items):
            return self
        rows = np.linspace(0, len(self.items) - 1, count).round().astype(int)
        return replace(self, items=tuple(self.items[row] for row in rows))


def read(path: Path, mapping: Mapping, name: str | None = None) -> Dataset:
    """The dataset at a folder, CSV or `.npz`; raises `healer.errors.DatasetError`."""
    if not path.exists():
        known = ", ".join(KNOWN)
        raise DatasetNotFound(str(path), f"Give a path, or one of {known} with --download")
    if path.suffix.lower() == ".npz":
        return _arrays(path, mapping, name)
    index = path if path.is_file() else path / INDEX
    rows = _indexed(index) if index.is_file() else list(_foldered(path, mapping))
    if not rows:
        raise DatasetUnreadable(path.name, "it holds no pictures")
    folder = path if path.is_dir() else path.parent
    return _assembled(name or _name_of(path), rows, Files(folder), mapping)


Row = tuple[str, str, str | None]  # path, label, case


def _name_of(path: Path) -> str:
    named = path.parent if path.name == INDEX else path
    return named.resolve().name if named.is_dir() else named.stem


def _indexed(index: Path) -> list[Row]:
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetUnreadable(index.name, str(error)) from None
    column = next((name for name in ("path", "file") if lines and name in lines[0]), None)
    if column is None or "label" not in lines[0]:
        raise DatasetUnreadable(index.name, "it has no rows with the columns path and label")
    rows = [(line[column], line["label"], line.get("case_id") or None) for line in lines]
    if absent := next((n for n, row in enumerate(rows, 2) if not (row[0] and row[1])), None):
        raise DatasetUnreadable(index.name, f"line {absent} lacks a path or a label")
    return rows


def _foldered(folder: Path, mapping: Mapping) -> Iterable[Row]:
    """The class is the outermost folder that names a class; else the outermost folder."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        folders = parts[:-1]
        if file.suffix.lower() not in SUFFIXES or file.name.startswith("._") or not folders:
            continue
        if MASKS.isdisjoint(map(str.casefold, folders)):
            named = next((part for part in folders if mapping.names(part)), folders[0])
            yield "/".join(parts), named, None


def _arrays(path: Path, mapping: Mapping, name: str | None) -> Dataset:
    """MedMNIST's layout: the part kept for testing, or the only one there is."""
    try:
        with np.load(path, allow_pickle=False) as held:
            part = next(p for p in ("test", "val", "train") if f"{p}_images" in held)
            images, codes = held[f"{part}_images"], held[f"{part}_labels"].reshape(-1)
    except StopIteration:
        raise DatasetUnreadable(path.name, "it holds no test_images") from None
    except (OSError, ValueError, KeyError) as error:
        raise DatasetUnreadable(path.name, str(error)) from None
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise DatasetUnreadable(path.name, "its images are not (n, height, width, 3) bytes")
    if len(codes) != len(images) or not set(codes.tolist()) <= set(range(len(PATHMNIST_CLASSES))):
        raise DatasetUnreadable(path.name, "its labels are not PathMNIST's")
    rows: list[Row] = [
        (f"{part}/{row}", PATHMNIST_CLASSES[code], None) for row, code in enumerate(codes.tolist())
    ]
    return _assembled(name or path.stem, rows, Arrays(images), mapping)


def _assembled(name: str, rows: Sequence[Row], source: Source, mapping: Mapping) -> Dataset:
    meanings = mapping.meanings({label for _, label, _ in rows})
    known = recognised(name, meanings)
    if repeated := next((p for p, n in Counter(p for p, _, _ in rows).items() if n > 1), None):
        raise DatasetUnreadable(name, f"{repeated} is listed twice")
    cased = [(path, label, case or _case_in(path, known)) for path, label, case in rows]
    return Dataset(
        name=name,
        items=tuple(
            Item(path, label, case or path, bool(meanings[label]))
            for path, label, case in cased
            if meanings[label] is not None
        ),
        source=source,
        has_cases=all(case for _, _, case in cased),
        left_out=dict(Counter(label for _, label, _ in rows if meanings[label] is None)),
        known=known,
    )


def recognised(name: str, labels: Iterable[str]) -> Known | None:
    """A known dataset by its name, or where enough classes are one's alone."""
    if known := KNOWN.get(plain(name)):
        return known
    found = {plain(label) for label in labels}
    owners = [
        known
        for known in KNOWN.values()
        if found <= {plain(label) for label in (*known.yes, *known.no, *known.left_out)}
    ]
    return owners[0] if len(owners) == 1 and len(found) >= LEAST_TO_RECOGNISE else None


def _case_in(path: str, known: Known | None) -> str | None:
    if known is None or known.case_pattern is None:
        return None
    found = re.search(known.case_pattern, path.rpartition("/")[2])
    return found.group(1) if found else None
