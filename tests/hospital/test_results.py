"""Results as other programs read them: the right place in mm, the right level, and nobody's name
where it does not belong."""

from __future__ import annotations

import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="results need healer[hospital]")
pytest.importorskip("openslide", reason="whole slides need healer[slides]")

import highdicom
import pydicom
import shapely

from healer.hospital.codes import TABLE, CodeBook
from healer.hospital.finished import FinishedSlide, ResultContext
from healer.hospital.overlays import map_levels
from healer.hospital.results import result_objects, stored_files, write_results
from healer.hospital.series import series_in
from tests.hospital.slides import (
    MM_PER_PX,
    NORMAL,
    PATIENT,
    PATIENT_ID,
    SIZE,
    TUMOUR,
    answered,
    context,
    with_patient,
)
from tests.slides.glass import SLIDES

# What a slide's archive would have to state, and its own files do not.
UNKNOWN_TO_US = ("<Laterality>", "<PatientOrientation>")


@pytest.fixture(scope="module")
def objects() -> dict[str, pydicom.Dataset]:
    """As a file holds them."""
    return {name: _reread(each) for name, each in result_objects(context())}


def _reread(dataset: pydicom.Dataset) -> pydicom.Dataset:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(stream.getvalue()))


def in_mm(x: float, y: float) -> tuple[float, float]:
    """Of a pixel's corner. Rows run along −x and columns along −y, as these files leave it to the
    default; the origin is the centre of the first pixel."""
    return -(y - 0.5) * MM_PER_PX, -(x - 0.5) * MM_PER_PX


def report_of(objects: dict[str, pydicom.Dataset]) -> Any:  # noqa: ANN401 - highdicom's own class
    stream = BytesIO()
    objects["report.dcm"].save_as(stream, enforce_file_format=True)
    return highdicom.sr.srread(BytesIO(stream.getvalue()))


def test_the_region_lies_where_the_tumour_was_planted(objects: dict[str, pydicom.Dataset]) -> None:
    groups = report_of(objects).content.get_planar_roi_measurement_groups()
    first = next(each for each in groups if each.tracking_identifier == "cancer 1")
    outline = shapely.Polygon(first.roi.value[:, :2])
    left, top = in_mm(TUMOUR.x, TUMOUR.y)
    right, bottom = in_mm(TUMOUR.right, TUMOUR.bottom)
    planted = shapely.box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    overlap = outline.intersection(planted).area / outline.union(planted).area
    assert overlap > 0.75
    assert first.finding_type.value == TABLE["adenocarcinoma"].value
    (area,) = first.get_measurements(CodeBook()["area"])
    assert area.value == pytest.approx(planted.area, rel=0.25)


def test_the_report_is_preliminary_and_names_its_algorithm_and_device(
    objects: dict[str, pydicom.Dataset],
) -> None:
    report = objects["report.dcm"]
    flags = (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag)
    assert flags == ("PARTIAL", "PRELIMINARY", "UNVERIFIED")
    text = report.to_json()
    assert "healer slide" in text
    assert context().model["id"] in text
    assert report.Modality == "SR"


def test_the_map_lies_on_a_level_that_the_slide_has(objects: dict[str, pydicom.Dataset]) -> None:
    made = context()
    sizes = [
        (int(each.TotalPixelMatrixColumns), int(each.TotalPixelMatrixRows))
        for each in made.series.levels
    ]
    for number, level in enumerate(map_levels(made), 1):
        image = objects[f"map-{number}.dcm"]
        size = (int(image.TotalPixelMatrixColumns), int(image.TotalPixelMatrixRows))
        assert size in sizes
        spacing = image.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        theirs = level.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        assert list(map(float, spacing)) == list(map(float, theirs))
        assert image.FrameOfReferenceUID == level.FrameOfReferenceUID


def matrix_of(dataset: pydicom.Dataset, **options: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    read = highdicom.seg.segread if dataset.Modality == "SEG" else highdicom.imread
    image: Any = read(BytesIO(stream.getvalue()))
    pixels: np.ndarray[Any, Any] = image.get_total_pixel_matrix(**options)
    return pixels


def test_the_map_is_high_on_the_tumour_and_empty_on_glass(
    objects: dict[str, pydicom.Dataset],
) -> None:
    image = objects["map-1.dcm"]
    stored = matrix_of(image, apply_real_world_transform=False)
    shares = matrix_of(image)  # by its real-world mapping
    scale = stored.shape[1] / SIZE[0]

    def at(x: float, y: float) -> tuple[int, int]:
        return int(y * scale), int(x * scale)

    assert shares[at(*TUMOUR.centre)] > 0.8
    assert shares[at(*NORMAL.centre)] < 0.2
    assert stored[at(60, 60)] == 0
    assert shares[at(60, 60)] < 0


def test_tissue_is_a_binary_segmentation_of_what_was_planted(
    objects: dict[str, pydicom.Dataset],
) -> None:
    image = objects["tissue.dcm"]
    assert (image.SegmentationType, image.SegmentSequence[0].SegmentAlgorithmType) == (
        "BINARY",
        "AUTOMATIC",
    )
    mask = matrix_of(image, combine_segments=True)
    scale = mask.shape[1] / SIZE[0]
    for patch in (TUMOUR, NORMAL):
        x, y = patch.centre
        assert mask[int(y * scale), int(x * scale)]
    assert mask.mean() == pytest.approx(2 * TUMOUR.width**2 / (SIZE[0] * SIZE[1]), rel=0.2)


def test_every_scored_tile_is_an_annotation(objects: dict[str, pydicom.Dataset]) -> None:
    stream = BytesIO()
    objects["tiles.dcm"].save_as(stream, enforce_file_format=True)
    groups = highdicom.ann.annread(BytesIO(stream.getvalue())).get_annotation_groups()
    shown = sum(len(each.get_graphic_data("3D")) for each in groups)
    assert shown == sum(each.probability is not None for each in context().slide.tiles)
    assert {each.algorithm_type.value for each in groups} == {"AUTOMATIC"}
    cancer = next(each for each in groups if each.label == "Tiles read as cancer")
    corners = np.concatenate(cancer.get_graphic_data("3D"))
    left, top = in_mm(*TUMOUR.centre)
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    assert middle[:2] == pytest.approx((left, top), abs=0.15)
    _, values, _ = cancer.get_measurements()
    assert float(values.min()) > 0.1


def test_the_same_answer_has_the_same_uids_and_another_model_has_others() -> None:
    first, again = context(), context()
    assert [str(d.SOPInstanceUID) for _, d in result_objects(first)] == [
        str(d.SOPInstanceUID) for _, d in result_objects(again)
    ]
    document = first.slide.document
    run = {**document["run"], "calibration": "another"}
    other = FinishedSlide({**document, "run": run}, first.slide.tiles, first.slide.tissue)
    changed = ResultContext(other, first.series, first.codes)
    assert (
        changed.series_of("report", 1)["series_instance_uid"]
        != (first.series_of("report", 1)["series_instance_uid"])
    )
    assert first.uid("x").startswith("2.25.")
    assert len(first.uid("x")) <= 64


def test_codes_can_be_switched_off_by_licence() -> None:
    book = CodeBook.of("none")
    assert {book[name].scheme_designator for name in TABLE} == {"99HEALER", "DCM", "UCUM"}
    assert CodeBook.of("LN")["adenocarcinoma"].scheme_designator == "99HEALER"
    assert CodeBook.of("LN")["pathology_report"].value == "60568-3"
    assert all(entry.source for entry in TABLE.values())
    made = dict(result_objects(context("none")))
    evaluations = [
        item
        for item in made["report.dcm"].ContentSequence[-1].ContentSequence[0].ContentSequence
        if item.ValueType == "CODE"
    ]
    assert evaluations
    assert "1187332001" not in _reread(made["report.dcm"]).to_json()


def test_a_no_says_what_was_read_and_never_that_nothing_is_there() -> None:
    made = context()
    document = {**made.slide.document, "verdict": "no", "sentence": "Read as no cancer."}
    slide = FinishedSlide(document, made.slide.tiles, made.slide.tissue)
    read = document["coverage"]["read_mm2"]
    assert slide.sentence.startswith(f"Cancer not detected in the area read, {read:.2f} mm².")
    objects = dict(result_objects(ResultContext(slide, made.series, made.codes)))
    text = _reread(objects["report.dcm"]).to_json().lower()
    assert "not detected in the area read" in text
    assert "absent" not in text


def test_the_patient_is_in_the_results_and_in_no_other_file(tmp_path: Path) -> None:
    series, folder = answered()
    copy = tmp_path / "planted"
    shutil.copytree(folder, copy)
    write_results(copy, series_in(series), CodeBook())
    for file in stored_files(copy):
        dataset = pydicom.dcmread(file)
        assert (str(dataset.PatientName), dataset.PatientID) == (PATIENT, PATIENT_ID)
    assert PATIENT_ID in (copy / "fhir.json").read_text()
    others = [file for file in copy.iterdir() if file.is_file() and file.name != "fhir.json"]
    assert len(others) > 8
    assert [file.name for file in others if b"CANARY" in file.read_bytes()] == []


def test_names_in_other_scripts_stay_what_they_are(tmp_path: Path) -> None:
    series, folder = answered()
    japanese = tmp_path / "series"
    shutil.copytree(series, japanese)
    with_patient(japanese, "Yamada^Tarou=山田^太郎")
    made = ResultContext(FinishedSlide.in_folder(folder), series_in(japanese), CodeBook())
    for _, dataset in result_objects(made):
        assert str(_reread(dataset).PatientName) == "Yamada^Tarou=山田^太郎"


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="needs dicom3tools: .ci/install")
def test_dicom3tools_finds_nothing_wrong(tmp_path: Path) -> None:
    for name, dataset in result_objects(context()):
        place = tmp_path / name
        dataset.save_as(place, enforce_file_format=True)
        checked = subprocess.run(["dciodvfy", place], capture_output=True, check=False)  # noqa: S607
        errors = [
            line
            for line in checked.stderr.decode(errors="replace").splitlines()
            if line.startswith("Error") and not any(tag in line for tag in UNKNOWN_TO_US)
        ]
        assert errors == [], name


@pytest.mark.skipif(not shutil.which("dsrdump"), reason="needs dcmtk: .ci/install")
def test_dcmtk_reads_the_report(tmp_path: Path) -> None:
    objects = dict(result_objects(context()))
    place = tmp_path / "report.dcm"
    objects["report.dcm"].save_as(place, enforce_file_format=True)
    dump = subprocess.run(["dsrdump", place], capture_output=True, check=True)  # noqa: S607
    text = dump.stdout.decode()
    assert "Comprehensive 3D SR Document" in text
    assert 'Cancer in the area read")=(415684004,SCT,"Suspected")' in text
    assert "(SCOORD3D:" in text or "SCOORD3D" in text


def test_a_real_series_that_states_little_has_results_too() -> None:
    _, folder = answered()
    made = ResultContext(
        FinishedSlide.in_folder(folder), series_in(SLIDES / "cmu-1-dicom"), CodeBook()
    )
    for name, dataset in result_objects(made):
        assert _reread(dataset).PatientID == "", name


def test_a_folder_without_a_mask_of_the_tissue_has_no_segmentation(tmp_path: Path) -> None:
    series, folder = answered()
    copy = tmp_path / "planted"
    shutil.copytree(folder, copy)
    (copy / "tissue.png").unlink()
    write_results(copy, series_in(series), CodeBook())
    assert [file.name for file in stored_files(copy)][-1] == "report.dcm"
    assert not (copy / "dicom" / "tissue.dcm").exists()
    assert json.loads((copy / "slide.json").read_text())["verdict"] == "yes"
