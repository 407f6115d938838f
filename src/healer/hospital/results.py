"""All result objects of an answered slide, in its folder: DICOM, and the FHIR bundle beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from healer.errors.slides import SlideAnswersNotWritable
from healer.files.disk import atomic_write
from healer.hospital.annotations import tile_annotations
from healer.hospital.codes import CodeBook
from healer.hospital.fhir import report_bundle
from healer.hospital.finished import FinishedSlide, ResultContext
from healer.hospital.overlays import parametric_maps, tissue_segmentation
from healer.hospital.series import SourceSeries
from healer.hospital.structured_report import structured_report

FOLDER, BUNDLE = "dicom", "fhir.json"


def result_objects(context: ResultContext) -> Iterator[tuple[str, Dataset]]:
    """Each with the name of its file. The report comes last: where it is stored, all is."""
    for number, level in enumerate(parametric_maps(context), 1):
        yield f"map-{number}.dcm", level
    if (tissue := tissue_segmentation(context)) is not None:
        yield "tissue.dcm", tissue
    if (tiles := tile_annotations(context)) is not None:
        yield "tiles.dcm", tiles
    yield "report.dcm", structured_report(context)


def write_results(folder: Path, series: SourceSeries, codes: CodeBook) -> ResultContext:
    """Into `folder`, which holds a finished slide. Raises SlideAnswersNotWritable."""
    context = ResultContext(FinishedSlide.in_folder(folder), series, codes)
    place, draft = folder / FOLDER, folder / f".{FOLDER}"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name, dataset in result_objects(context):
            dataset.save_as(draft / name, enforce_file_format=True)
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        with atomic_write(folder / BUNDLE) as stream:
            stream.write(report_bundle(context).model_dump_json(indent=1).encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SlideAnswersNotWritable(folder.name, reason) from None
    return context


def read_bundle(folder: Path) -> bytes:
    return (folder / BUNDLE).read_bytes()


def stored_files(folder: Path) -> list[Path]:
    """Of a slide's folder, the report last."""
    return sorted((folder / FOLDER).glob("*.dcm"), key=lambda each: each.stem == "report")
