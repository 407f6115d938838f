"""The answer as a Comprehensive 3D SR: TID 1500 with the slide as a measurement group, and each
region as one more (TID 1410) whose outline is in the slide's millimetres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from highdicom import UID
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.enum import GraphicTypeValues3D
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code

from healer import __version__
from healer.hospital.codes import value_in
from healer.hospital.finished import MANUFACTURER, MODEL_NAME, Json, ResultContext
from healer.hospital.series import ring_in_mm
from healer.slides.regions import RegionKind

KIND, NUMBER = "report", 9001
SITES = ("colon", "rectum")


def structured_report(context: ResultContext) -> Comprehensive3DSR:
    series = context.series
    content = MeasurementReport(
        observation_context=_observer(context),
        procedure_reported=context.codes["pathology_report"],
        imaging_measurements=[_of_slide(context), *_of_regions(context)],
        title=dicom_codes.DCM.ImagingMeasurementReport,
        referenced_images=series.levels,
    )
    named = context.series_of(KIND, NUMBER)
    return Comprehensive3DSR(
        evidence=list(series.levels),
        content=content[0],
        is_complete=False,
        is_final=False,
        is_verified=False,
        **named,
    )


def _observer(context: ResultContext) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=context.device_uid,
        name="Healer",
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=__version__,
    )
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _algorithm(context: ResultContext) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=context.model["id"],
        version=__version__,
        parameters=[f"{name}: {value}" for name, value in context.parameters.items()],
        family=context.codes["artificial_intelligence"],
        manufacturer=MANUFACTURER,
    )


def _sites(context: ResultContext) -> list[FindingSite]:
    """As the archive states it; a slide does not show whether it is of the colon or the rectum."""
    known = {value_in(SITES, str(code.CodeValue)) for code in context.series.sites()}
    return [FindingSite(context.codes[name]) for name in SITES if name in known]


def _of_slide(context: ResultContext) -> MeasurementsAndQualitativeEvaluations:
    document, book = context.slide.document, context.codes
    evaluations = [QualitativeEvaluation(book["verdict"], book.verdict(document["verdict"]))]
    if second := document["second_answer"]:
        value = book.verdict(second["verdict"])
        evaluations.append(QualitativeEvaluation(book["second_answer"], value))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(context.uid("slide"), "slide"),
        algorithm_id=_algorithm(context),
        finding_sites=_sites(context) or None,
        measurements=[
            Measurement(name=name, value=value, unit=unit)
            for name, value, unit in slide_measurements(context)
        ],
        qualitative_evaluations=evaluations,
    )
    comment = TextContentItem(
        name=book["comment"],
        value=context.slide.sentence,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    group[0].ContentSequence.append(comment)
    return group


def slide_measurements(context: ResultContext) -> Iterator[tuple[Code, float, Code]]:
    """A probability is called one only where it was calibrated on slides."""
    document, book = context.slide.document, context.codes
    coverage = document["coverage"]
    if document["calibrated"]:
        yield book["cancer_probability"], _percent(document["probability"]), book["percent"]
    if not document.get("unanswered"):
        yield book["score"], float(document["scores"]["score"]), book["one"]
    yield book["area_read"], float(coverage["read_mm2"]), book["mm2"]
    yield book["tissue_area"], float(coverage["tissue_mm2"]), book["mm2"]
    yield book["share_read"], _percent(coverage["read_share"]), book["percent"]
    yield book["positive_area"], float(document["scores"]["positive_mm2"]), book["mm2"]


def _percent(share: float) -> float:
    return round(100 * share, 4)


def _of_regions(context: ResultContext) -> Iterator[PlanarROIMeasurementsAndQualitativeEvaluations]:
    for region in context.slide.document["regions"]:
        for part, polygon in enumerate(region["outline"], 1):
            name = f"{region['kind']} {region['rank']}"
            if len(region["outline"]) > 1:
                name += f", part {part}"
            yield _of_region(context, region, name, polygon[0])


def _of_region(
    context: ResultContext, region: Json, name: str, ring: list[Any]
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    book = context.codes
    is_cancer = region["kind"] == RegionKind.CANCER
    outline = ImageRegion3D(
        graphic_type=GraphicTypeValues3D.POLYGON,
        graphic_data=ring_in_mm(context.series, ring),
        frame_of_reference_uid=UID(context.series.frame_of_reference),
    )
    score = book["score"] if is_cancer else book["precursor_score"]
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(context.uid("region", name), name),
        referenced_region=outline,
        finding_category=book["abnormal"],
        finding_type=book["adenocarcinoma"] if is_cancer else book["precursor"],
        algorithm_id=_algorithm(context),
        finding_sites=_sites(context) or None,
        measurements=[
            Measurement(name=book["area"], value=float(region["area_mm2"]), unit=book["mm2"]),
            Measurement(name=score, value=float(region["score"]), unit=book["one"]),
            Measurement(name=book["tiles"], value=float(region["tiles"]), unit=book["count"]),
        ],
        qualitative_evaluations=[QualitativeEvaluation(book["finding"], book["suspected"])],
    )
