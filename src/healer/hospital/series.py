"""A whole-slide series as its DICOM headers describe it: its levels, and where a pixel lies in mm.

Patient attributes are in these headers, and go from here into result objects alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from highdicom.spatial import ImageToReferenceTransformer
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, VLWholeSlideMicroscopyImageStorage

from healer.errors.hospital import NotADicomSlide
from healer.slides.formats import VOLUME

Points = NDArray[np.float64]
UID_ROOT = "2.25."  # with a UUID as a number: DICOM PS3.5, B.2
NAMESPACE = uuid.UUID("0b8f9d0a-8a2f-4d57-9f0c-5f6b1f8b6f19")
# Where a slide lies is often left out by converters; DICOM's own default is none.
ORIENTATION = [0.0, -1.0, 0.0, -1.0, 0.0, 0.0]
UTF_8 = "ISO_IR 192"
EMPTY_IF_MISSING = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def derived_uid(*parts: str) -> UID:
    """The same parts give the same UID, on every machine."""
    number = uuid.uuid5(NAMESPACE, "\n".join(parts)).int
    return UID(f"{UID_ROOT}{number}")


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """`levels` are headers without pixels, one for each level, finest first; `instances` are the
    SOP instance UIDs of all files of the pyramid."""

    levels: tuple[Dataset, ...]
    instances: tuple[str, ...]

    @property
    def base(self) -> Dataset:
        return self.levels[0]

    @property
    def study_uid(self) -> str:
        return str(self.base.StudyInstanceUID)

    @property
    def series_uid(self) -> str:
        return str(self.base.SeriesInstanceUID)

    @property
    def frame_of_reference(self) -> str:
        return str(self.base.FrameOfReferenceUID)

    def to_mm(self, points: Points) -> Points:
        """Of the finest level's pixels, as (n, 2) of x and y, in the slide's own millimetres as
        (n, 3). A pixel's corner is meant, not its centre."""
        place = ImageToReferenceTransformer.for_image(self.base, for_total_pixel_matrix=True)
        placed: Points = place(np.asarray(points, np.float64))
        return placed

    def sites(self) -> list[Dataset]:
        """Codes of the organ, where the archive states it."""
        return [
            code
            for specimen in self.base.get("SpecimenDescriptionSequence", ())
            for code in specimen.get("PrimaryAnatomicStructureSequence", ())
        ]


def series_in(path: Path) -> SourceSeries:
    """Of a file of a series, or of the folder that holds it. Raises NotADicomSlide."""
    files = sorted((path if path.is_dir() else path.parent).iterdir())
    headers = [header for file in files if (header := _header(file)) is not None]
    chosen = headers[0] if path.is_dir() and headers else _header(path)
    if chosen is None:
        raise NotADicomSlide(path.name)
    return series_from(
        header for header in headers if header.SeriesInstanceUID == chosen.SeriesInstanceUID
    )


def series_from(headers: Iterable[Dataset]) -> SourceSeries:
    """Raises NotADicomSlide."""
    volumes = [header for header in headers if VOLUME in header.get("ImageType", ())]
    if not volumes:
        raise NotADicomSlide("the series")
    levels: dict[tuple[int, int], Dataset] = {}
    for header in sorted(volumes, key=lambda each: int(each.get("InConcatenationNumber", 1))):
        levels.setdefault(size_of(header), header)
    finest_first = sorted(levels.values(), key=lambda each: -int(each.TotalPixelMatrixColumns))
    base = finest_first[0]
    return SourceSeries(
        tuple(_completed(each, base) for each in finest_first),
        tuple(sorted(str(each.SOPInstanceUID) for each in volumes)),
    )


def size_of(header: Dataset) -> tuple[int, int]:
    """Width and height of the level."""
    return int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)


def _header(file: Path) -> Dataset | None:
    if not file.is_file():
        return None
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError, NotImplementedError):
        return None
    is_slide = header.get("SOPClassUID") == VLWholeSlideMicroscopyImageStorage
    return header if is_slide else None


def _completed(header: Dataset, base: Dataset) -> Dataset:
    """With what results need and converters leave out."""
    whole = deepcopy(header)
    whole.decode()
    whole.SpecificCharacterSet = UTF_8  # our sentences hold ² and µ
    for keyword in EMPTY_IF_MISSING:
        if keyword not in whole:
            setattr(whole, keyword, "")
    if "FrameOfReferenceUID" not in whole:
        whole.FrameOfReferenceUID = derived_uid("frame of reference", str(base.SeriesInstanceUID))
    if "ImageOrientationSlide" not in whole:
        whole.ImageOrientationSlide = ORIENTATION
    if not whole.get("TotalPixelMatrixOriginSequence"):
        origin = Dataset()
        origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
        whole.TotalPixelMatrixOriginSequence = [origin]
    _complete_spacing(whole)
    if not whole.get("OpticalPathSequence"):
        path = Dataset()
        path.OpticalPathIdentifier = "1"
        whole.OpticalPathSequence = [path]
    return whole


def _complete_spacing(header: Dataset) -> None:
    """From the volume that was imaged, where a pixel's size is not stated."""
    groups = header.get("SharedFunctionalGroupsSequence")
    if groups and groups[0].get("PixelMeasuresSequence"):
        measures = groups[0].PixelMeasuresSequence[0]
    else:
        measures = Dataset()
        width, height = size_of(header)
        try:
            measures.PixelSpacing = [
                float(header.ImagedVolumeHeight) / height,
                float(header.ImagedVolumeWidth) / width,
            ]
        except AttributeError:
            raise NotADicomSlide("a series that states no size of a pixel") from None
        group = groups[0] if groups else Dataset()
        group.PixelMeasuresSequence = [measures]
        header.SharedFunctionalGroupsSequence = [group]
    if "SliceThickness" not in measures:
        measures.SliceThickness = 0.001


def ring_in_mm(series: SourceSeries, ring: Sequence[Sequence[Any]]) -> Points:
    return series.to_mm(np.asarray(ring, np.float64))
