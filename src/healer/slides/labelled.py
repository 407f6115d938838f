"""Slides of known answer: a list with labels, or a folder of a published set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from healer.errors.evaluation import DatasetNotFound, DatasetUnreadable, DownloadRefused
from healer.evaluation.published import LabelMapping
from healer.evaluation.published_slides import (
    PUBLISHED_SLIDES,
    PublishedSlides,
    published_slides,
)
from healer.slides.listing import ListedSlide, list_slides

LIST = "slides.csv"


@dataclass(frozen=True)
class LabelledSlides:
    """`slides` have labels that are yes or no by `meanings`; `left_out` counts the others by label,
    and files whose names hold no label under OTHER_NAMES."""

    name: str
    slides: tuple[ListedSlide, ...]
    meanings: Mapping[str, bool | None]
    known: PublishedSlides | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


OTHER_NAMES = "other file names"


def labelled_slides(source: Path, folder: Path, mapping: LabelMapping) -> LabelledSlides:
    """`source` is a list, a folder, or the name of a published set whose folder lies in `folder`.
    Raises DatasetError and SlideError."""
    place = _place(source, folder)
    known = published_slides(place.name if place.is_dir() else place.stem)
    listed = place / LIST if place.is_dir() else place
    if listed.is_file():
        slides, others = _of_list(listed), 0
    elif known and known.file_pattern:
        slides, others = _by_file_name(place, known)
    else:
        how = known.labels if known else f"{LIST} with path, label and case_id"
        raise DatasetUnreadable(place.name, f"its labels are missing: {how}")
    labels = [str(each.label) for each in slides]
    meanings = known.meanings(labels, mapping) if known else mapping.meanings(set(labels))
    left_out = Counter(label for label in labels if meanings[label] is None)
    return LabelledSlides(
        name=known.name if known else place.stem,
        slides=tuple(each for each in slides if meanings[str(each.label)] is not None),
        meanings=meanings,
        known=known,
        left_out={**left_out, **({OTHER_NAMES: others} if others else {})},
    )


def _place(source: Path, folder: Path) -> Path:
    if source.exists():
        return source
    known = published_slides(source.name) if source.parent == Path() else None
    if known is None:
        names = ", ".join(each.name for each in PUBLISHED_SLIDES)
        advice = f"Give a list of slides with labels, or the folder of one of {names}"
        raise DatasetNotFound(str(source), advice)
    for name in known.names:
        if (folder / name).is_dir():
            return folder / name
    raise DownloadRefused(known.name, known.manual, known.page)


def _of_list(place: Path) -> list[ListedSlide]:
    slides = list(list_slides([place]).slides)
    if unlabelled := next((each for each in slides if each.label is None), None):
        reason = f"{unlabelled.path.name} has no label"
        raise unlabelled.error or DatasetUnreadable(place.name, reason)
    return slides


def _by_file_name(place: Path, known: PublishedSlides) -> tuple[list[ListedSlide], int]:
    """Each slide with the label and case that its name holds, and how many have another name."""
    walked = list_slides([place]).slides
    slides = [
        replace(slide, label=found[0], case=found[1])
        for slide in walked
        if (found := known.from_file_name(slide.path.stem))
    ]
    if not slides:
        raise DatasetUnreadable(place.name, f"no slide in it is named as {known.name}'s are")
    return slides, len(walked) - len(slides)
