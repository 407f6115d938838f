"""Tiles of known answer, in every layout they come in.

A folder with `index.csv`, a CSV file, a folder per class, a MedMNIST `.npz`, or a zip or tar of
any of these. Nothing is decoded here: an item's pixels are read when they are needed.
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

from healer.display import examples, printable
from healer.errors.evaluation import DatasetNotFound, DatasetUnreadable, TilesMissing
from healer.evaluation.published import (
    PATHMNIST_CLASSES,
    PUBLISHED,
    LabelMapping,
    PublishedDataset,
    plain_label,
)
from healer.files.disk import read_limited
from healer.files.spelling import Resolver, escaped
from healer.files.table import column_of, read_heading, read_rows
from healer.files.walk import LeftOut, Reason, walk
from healer.images.decode import decode
from healer.images.tile import Tile

MASKS = frozenset({"label", "labels", "mask", "masks"})
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
        data = read_limited(self.folder / path, limits.max_bytes)
        return decode(data, max_pixels=limits.max_pixels)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Images of shape (n, height, width, 3), addressed as `name/row`."""

    images: NDArray[np.uint8]

    def tile(self, path: str, limits: Limits) -> Tile:  # noqa: ARG002 - the protocol's signature
        return Tile(pixels=self.images[int(path.rpartition("/")[2])])


@dataclass(frozen=True)
class Dataset:
    """`left_out` counts tiles by class that take no part, `files_left_out` what a walk passed by;
    `missing` are listed paths where nothing is; `has_cases` is False where each tile had to be
    taken as its own case."""

    name: str
    items: tuple[Item, ...]
    source: Source = field(repr=False)
    has_cases: bool
    left_out: dict[str, int]
    known: PublishedDataset | None = None
    files_left_out: LeftOut = field(default_factory=LeftOut)
    missing: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """Changes with any tile's name, class, case or answer."""
        rows = "\n".join(repr((i.path, i.label, i.case_id, i.positive)) for i in self.items)
        return hashlib.sha256(rows.encode()).hexdigest()[:16]

    @property
    def absent(self) -> list[str]:
        """Paths of tiles that are not there."""
        return [item.path for item in self.items if item.path in self.missing]

    def require(self, *, all_tiles: bool) -> None:
        """Raises TilesMissing where no tile, or not every tile, is there."""
        absent, listed = self.absent, len(self.items)
        if absent and (all_tiles or len(absent) == listed):
            raise TilesMissing(self.name, len(absent), listed, examples(absent))

    def limited(self, count: int | None) -> Dataset:
        """At most `count` tiles, evenly spread, so that no class or case is cut off."""
        if count is None or count >= len(self.items):
            return self
        rows = np.linspace(0, len(self.items) - 1, count).round().astype(int)
        return replace(self, items=tuple(self.items[row] for row in rows))


def read_dataset(path: Path, mapping: LabelMapping, name: str | None = None) -> Dataset:
    """The dataset at a folder, CSV or `.npz`; raises `healer.errors.DatasetError`."""
    if not path.exists():
        known = ", ".join(PUBLISHED)
        raise DatasetNotFound(str(path), f"Give a path, or one of {known} with --download")
    if path.suffix.lower() == ".npz":
        return _arrays(path, mapping, name)
    folder = path if path.is_dir() else path.parent
    index = path if path.is_file() else _index_in(path)
    listed = _indexed(index, Resolver(folder)) if index else _foldered(path, mapping)
    if not listed.rows:
        reason = f"it holds no pictures. {listed.left_out}".strip()
        raise DatasetUnreadable(printable(path.name), reason.removesuffix("."))
    found = _assembled(name or _name_of(path), listed.rows, Files(folder), mapping)
    return replace(found, files_left_out=listed.left_out, missing=listed.missing)


Row = tuple[str, str, str | None]  # path, label, case


@dataclass(frozen=True, slots=True)
class Listed:
    rows: list[Row]
    left_out: LeftOut = field(default_factory=LeftOut)
    missing: frozenset[str] = frozenset()


def _name_of(path: Path) -> str:
    named = path.parent if path.name.casefold() == INDEX else path
    return escaped(named.resolve().name if named.is_dir() else named.stem)


def _index_in(folder: Path) -> Path | None:
    name = Resolver(folder).find(INDEX)
    return folder / name if name and (folder / name).is_file() else None


def _indexed(index: Path, resolver: Resolver) -> Listed:
    """Paths as they are written on the disk; those that name nothing stay as they are listed."""
    try:
        column = column_of(read_heading(index))
        if column is None or "label" not in read_heading(index):
            raise DatasetUnreadable(index.name, "it has no rows with the columns path and label")
        rows = []
        missing = []
        for number, line in read_rows(index):
            if not (line[column].strip() and line["label"].strip()):
                raise DatasetUnreadable(index.name, f"line {number} lacks a path or a label")
            found = resolver.find(line[column])
            if found is None:
                missing.append(line[column])
            case = escaped(line.get("case_id", "").strip())
            rows.append((found or line[column], escaped(line["label"].strip()), case or None))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetUnreadable(index.name, str(error)) from None
    return Listed(rows, missing=frozenset(missing))


def _foldered(folder: Path, mapping: LabelMapping) -> Listed:
    """The class is the outermost folder that names a class; else the outermost folder."""
    walked = walk(folder)
    rows: list[Row] = []
    for file in walked.files:
        parts = file.relative_to(folder).parts
        folders = parts[:-1]
        if not folders:
            walked.left_out.add(Reason.NO_CLASS, file.name)
        elif masks := [part for part in folders if part.casefold() in MASKS]:
            walked.left_out.add(Reason.MASK, masks[0])
        else:
            named = next((part for part in folders if mapping.names(part)), folders[0])
            rows.append(("/".join(parts), escaped(named), None))
    return Listed(rows, walked.left_out)


def _arrays(path: Path, mapping: LabelMapping, name: str | None) -> Dataset:
    """MedMNIST's layout: the part set aside for testing, or the only one there is."""
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


def _assembled(name: str, rows: Sequence[Row], source: Source, mapping: LabelMapping) -> Dataset:
    meanings = mapping.meanings({label for _, label, _ in rows})
    known = recognised(name, meanings)
    if repeated := next((p for p, n in Counter(p for p, _, _ in rows).items() if n > 1), None):
        raise DatasetUnreadable(name, f"{printable(repeated)} is listed twice")
    cased = [(path, label, case or _case_in(path, known)) for path, label, case in rows]
    return Dataset(
        name=escaped(name),
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


def recognised(name: str, labels: Iterable[str]) -> PublishedDataset | None:
    """A known dataset by its name, or where enough classes are one's alone."""
    if known := PUBLISHED.get(plain_label(name)):
        return known
    found = {plain_label(label) for label in labels}
    owners = [
        known
        for known in PUBLISHED.values()
        if found <= {plain_label(label) for label in (*known.yes, *known.no, *known.left_out)}
    ]
    return owners[0] if len(owners) == 1 and len(found) >= LEAST_TO_RECOGNISE else None


def _case_in(path: str, known: PublishedDataset | None) -> str | None:
    if known is None or known.case_pattern is None:
        return None
    found = re.search(known.case_pattern, path.rpartition("/")[2])
    return escaped(found.group(1)) if found else None
