"""Tiles as Microscopy Bulk Simple Annotations: a rectangle for each, with what was read in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from highdicom.ann import (
    AnnotationCoordinateTypeValues,
    AnnotationGroup,
    AnnotationGroupGenerationTypeValues,
    GraphicTypeValues,
    Measurements,
    MicroscopyBulkSimpleAnnotations,
)
from numpy.typing import NDArray

from healer.engines.base import Answer
from healer.hospital.finished import ResultContext
from healer.hospital.series import SourceSeries
from healer.slides.scoring import TileResult

KIND, NUMBER = "tiles", 9004
LABELS = {
    Answer.YES: "Tiles read as cancer",
    Answer.INDETERMINATE: "Tiles that could not be decided",
    Answer.NO: "Tiles in which no cancer was detected",
}


def tile_annotations(context: ResultContext) -> MicroscopyBulkSimpleAnnotations | None:
    """None where no tile was scored."""
    groups = list(_groups(context))
    if not groups:
        return None
    return MicroscopyBulkSimpleAnnotations(
        source_images=[context.series.base],
        annotation_coordinate_type=AnnotationCoordinateTypeValues.SCOORD3D,
        annotation_groups=groups,
        content_label="TILES",
        content_description="Tiles read by Healer",
        **context.series_of(KIND, NUMBER),
    )


def _groups(context: ResultContext) -> Iterator[AnnotationGroup]:
    number = 0
    for answer, label in LABELS.items():
        tiles = [each for each in context.slide.tiles if each.verdict == answer]
        if tiles:
            number += 1
            yield _group(context, number, answer, label, tiles)


def _group(
    context: ResultContext, number: int, answer: Answer, label: str, tiles: Sequence[TileResult]
) -> AnnotationGroup:
    book = context.codes
    suspicious = answer is Answer.YES
    probabilities = np.array([tile.probability for tile in tiles], np.float32)
    return AnnotationGroup(
        number=number,
        uid=context.uid("tiles", str(answer)),
        label=label,
        annotated_property_category=book["abnormal"] if suspicious else book["tissue"],
        annotated_property_type=book["adenocarcinoma"] if suspicious else book["tissue"],
        graphic_type=GraphicTypeValues.RECTANGLE,
        graphic_data=_rectangles(context.series, tiles),
        algorithm_type=AnnotationGroupGenerationTypeValues.AUTOMATIC,
        algorithm_identification=context.algorithm(),
        measurements=[Measurements(book["cancer_probability"], probabilities, book["one"])],
        description="Preliminary and unverified",
    )


def _rectangles(series: SourceSeries, tiles: Sequence[TileResult]) -> list[NDArray[np.float32]]:
    """Viewers expect single precision, which is a hundredth of a micrometre on a slide."""
    corners = [
        ((a.x, a.y), (a.right, a.y), (a.right, a.bottom), (a.x, a.bottom))
        for a in (tile.area for tile in tiles)
    ]
    placed = series.to_mm(np.array(corners, np.float64).reshape(-1, 2))
    return list(placed.astype(np.float32).reshape(-1, 4, 3))
