"""Which slides are meant: files, folders, or a CSV list with a scale for each."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pydicom

from healer.errors.base import HealerError
from healer.errors.slides import (
    FolderWithoutSlides,
    ListedScaleUnusable,
    ListedWithoutPath,
    SlideListedTwice,
    SlideListUnreadable,
)
from healer.files.spelling import Resolver, to_bytes
from healer.files.table import column_of, read_heading, read_rows
from healer.files.walk import walk

DICOM = ".dcm"
ENDINGS = frozenset(
    {
        *(".svs", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".bif", ".svslide", ".zvi", ".czi"),
        *(".tif", ".tiff", ".qptiff", DICOM),
    }
)
MPP = ("mpp", "um_per_px", "mpp_x")
MPP_RANGE = (0.05, 20.0)
LABEL, CASE = ("label", "class"), ("case_id", "case", "patient")


@dataclass(frozen=True, slots=True)
class ListedSlide:
    """`name` is that of its folder of answers, and differs from all others'. `mpp` is what its
    list states; `label` and `case` are for evaluating. `error` says why it can be no slide."""

    path: Path
    name: str
    mpp: float | None = None
    label: str | None = None
    case: str | None = None
    error: HealerError | None = None


@dataclass(frozen=True, slots=True)
class SlideListing:
    slides: tuple[ListedSlide, ...]
    notes: tuple[str, ...] = field(default=())


def list_slides(paths: Iterable[Path]) -> SlideListing:
    """Named files as they are, folders walked, lists read. A folder without slides is a slide that
    failed, so that it costs the others nothing. Raises SlideListUnreadable."""
    slides: list[ListedSlide] = []
    notes: list[str] = []
    for path in paths:
        if path.is_dir():
            walked = walk(path, ENDINGS)
            if not walked.files:
                error = FolderWithoutSlides(str(path))
                slides.append(ListedSlide(path, path.resolve().name, error=error))
            slides += _without_further_levels(walked.files)
            notes += [str(walked.left_out)] * bool(walked.left_out)
        elif path.suffix.lower() == ".csv":
            listed = list(_of_list(path))
            if not listed:
                raise SlideListUnreadable(path.name, "it lists no slide")
            slides += listed
        else:
            slides.append(ListedSlide(path, path.stem))
    once = _each_once(slides)
    if repeated := len(slides) - len(once):
        notes.append(
            f"{repeated} path{'s' * (repeated != 1)} named a slide again; each is answered once."
        )
    return SlideListing(tuple(_distinct(once)), tuple(notes))


def _without_further_levels(files: Iterable[Path]) -> Iterator[ListedSlide]:
    """DICOM keeps each level of a slide in a file of its own, and any of them opens all. Where a
    folder holds one slide in several files, it is called after the folder."""
    series: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if file.suffix.lower() == DICOM:
            series[file.parent][series_of(file)].append(file)
        else:
            yield ListedSlide(file, file.stem)
    for folder, members in series.items():
        for levels in members.values():
            whole = (
                len(members) == 1 and len(levels) > 1 and len(list(folder.iterdir())) == len(levels)
            )
            yield ListedSlide(levels[0], folder.name if whole else levels[0].stem)


def series_of(file: Path) -> str:
    """Its series' id, or the file's own name where that cannot be read."""
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        return str(header.SeriesInstanceUID)
    except Exception:  # whatever a damaged file brings about, opening it as a slide will say
        return file.name


def _of_list(path: Path) -> Iterator[ListedSlide]:
    resolver = Resolver(path.parent)
    try:
        heading = read_heading(path)
        columns = {
            "path": column_of(heading),
            "mpp": column_of(heading, MPP),
            "label": column_of(heading, LABEL),
            "case": column_of(heading, CASE),
        }
        if columns["path"] is None:
            raise SlideListUnreadable(path.name, "it has no column path")
        for number, cells in read_rows(path):
            values = {key: cells[name].strip() for key, name in columns.items() if name}
            if any(cells.values()):
                yield _listed(path, number, values, resolver)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SlideListUnreadable(path.name, reason) from None
    except (UnicodeDecodeError, csv.Error) as error:
        reason = str(error) if isinstance(error, csv.Error) else "it is no text"
        raise SlideListUnreadable(path.name, reason) from None


def _listed(
    source: Path, number: int, values: Mapping[str, str], resolver: Resolver
) -> ListedSlide:
    label, case = values.get("label") or None, values.get("case") or None
    if not values["path"]:
        row = source.with_name(f"{source.name}, line {number}")
        without = ListedWithoutPath(source.name, number)
        return ListedSlide(row, f"{source.stem}, line {number}", None, label, case, without)
    written = resolver.find(values["path"]) or values["path"]
    file = source.parent / written
    try:
        scale = _mpp_of(source, number, values.get("mpp"))
    except ListedScaleUnusable as error:
        return ListedSlide(file, file.stem, None, label, case, error)
    return ListedSlide(file, file.stem, scale, label, case)


def _mpp_of(source: Path, number: int, mpp: str | None) -> float | None:
    """Raises ListedScaleUnusable."""
    if not mpp:
        return None
    smallest, largest = MPP_RANGE
    try:
        scale = float(mpp)
    except ValueError:
        raise ListedScaleUnusable(source.name, number, mpp, "no number") from None
    if not smallest <= scale <= largest:  # nor is NaN
        reason = f"not from {smallest:g} to {largest:g}"
        raise ListedScaleUnusable(source.name, number, mpp, reason)
    return scale


def _each_once(slides: Iterable[ListedSlide]) -> list[ListedSlide]:
    """A slide that is named several times, once, with all that is stated of it."""
    same: dict[tuple[str, str], list[ListedSlide]] = defaultdict(list)
    for slide in slides:
        same[_identity(slide.path)].append(slide)
    return [_merged(group) for group in same.values()]


def _identity(path: Path) -> tuple[str, str]:
    """The same for every name of a file, and for all files of a DICOM series."""
    real = Path(os.path.realpath(path))
    if real.suffix.lower() != DICOM:
        return str(real), ""
    return str(real.parent), series_of(real)


def _merged(group: Sequence[ListedSlide]) -> ListedSlide:
    """Two rows that contradict each other leave nothing to choose between them by."""
    first, *others = group
    if not others:
        return first
    error = next((slide.error for slide in group if slide.error), None)
    stated: dict[str, Any] = {}
    for name in ("mpp", "label", "case"):
        values = list(dict.fromkeys(filter(None, (getattr(slide, name) for slide in group))))
        if len(values) > 1:
            error = error or SlideListedTwice(name, " and ".join(map(str, values)))
        stated[name] = values[0] if len(values) == 1 else None
    return replace(first, **stated, error=error)


def _distinct(slides: Sequence[ListedSlide]) -> Iterator[ListedSlide]:
    """Where several have one name, each gets a part that follows from its path alone, so that it
    keeps its folder when others are added."""
    names = Counter(slide.name.casefold() for slide in slides)
    for slide in slides:
        if names[slide.name.casefold()] == 1:
            yield slide
        else:
            digest = hashlib.sha256(to_bytes(str(slide.path.absolute()))).hexdigest()[:8]
            yield replace(slide, name=f"{slide.name}-{digest}")
