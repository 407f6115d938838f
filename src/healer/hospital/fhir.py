"""The answer for a record system: a FHIR R4 transaction that, sent twice, is stored once.

The patient is named by the identifier that the archive holds; no Patient is made.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
from fhir.resources.R4B.bundle import Bundle
from pydicom.sr.coding import Code

from healer import NOTICE, __version__
from healer.errors.hospital import FhirRefused, FhirUnavailable
from healer.hospital.codes import SYSTEMS
from healer.hospital.finished import MANUFACTURER, ResultContext
from healer.hospital.structured_report import KIND, slide_measurements
from healer.settings.hospital import HospitalSettings

Json = dict[str, Any]
DICOM_UIDS = "urn:dicom:uid"
URIS = "urn:ietf:rfc:3986"
MADE_BY_MACHINE = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
STATUS, DEVICE = "preliminary", "device"
SECONDS = 30.0
NOT_FOR_ONE = (401, 403, 404, 408, 429)  # what it answers to every report


def report_bundle(context: ResultContext) -> Bundle:
    entries = [_entry(context, kind, body) for kind, body in _resources(context)]
    bundle: Bundle = Bundle.model_validate(
        {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    )
    return bundle


def post_report(bundle: bytes, settings: HospitalSettings) -> None:
    """Raises FhirRefused, and FhirUnavailable where it takes no report at all."""
    token = settings.fhir_token
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    if token:
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    try:
        reply = httpx.post(
            str(settings.fhir_url),
            content=bundle,
            headers=headers,
            timeout=SECONDS,
        )
    except httpx.HTTPError as error:
        raise FhirUnavailable(type(error).__name__) from None
    if reply.is_server_error or reply.status_code in NOT_FOR_ONE:
        raise FhirUnavailable(f"it answered {reply.status_code}")
    if not reply.is_success:
        raise FhirRefused(f"it answered {reply.status_code}")


def _entry(context: ResultContext, name: str, body: Json) -> Json:
    """`If-None-Exist` lets the server pass over what it holds already."""
    kind = body["resourceType"]
    labels = {"meta": {"security": [MADE_BY_MACHINE]}}
    request = {"method": "POST", "url": kind}
    if kind == "Provenance":  # it has no identifier; its own id stands for it
        request = {"method": "PUT", "url": f"Provenance/{_uuid(context, name)}"}
        body["id"] = _uuid(context, name)
    else:
        identifier = body.setdefault("identifier", [_identifier(context, name)])[0]
        request["ifNoneExist"] = f"identifier={identifier['system']}|{identifier['value']}"
    return {
        "fullUrl": _reference(context, name),
        "resource": {**labels, **body},
        "request": request,
    }


def _resources(context: ResultContext) -> Iterator[tuple[str, Json]]:
    yield DEVICE, _device(context)
    yield "study", _imaging_study(context)
    observations = list(_observations(context))
    yield from observations
    yield "report", _diagnostic_report(context, [name for name, _ in observations])
    yield "provenance", _provenance(context)


def _uuid(context: ResultContext, name: str) -> str:
    uid = context.device_uid if name == DEVICE else context.uid("fhir", name)
    return str(uuid.UUID(int=int(uid.split(".")[-1])))


def _reference(context: ResultContext, name: str) -> str:
    return f"urn:uuid:{_uuid(context, name)}"


def _to(context: ResultContext, name: str) -> Json:
    return {"reference": _reference(context, name)}


def _identifier(context: ResultContext, name: str) -> Json:
    return {"system": URIS, "value": _reference(context, name)}


def _concept(code: Code) -> Json:
    coding = {"system": SYSTEMS[code.scheme_designator], "code": code.value}
    return {"coding": [{**coding, "display": code.meaning}], "text": code.meaning}


def _subject(context: ResultContext) -> Json:
    base = context.series.base
    number = str(base.PatientID)
    if not number:
        return {"display": "not stated in the image"}
    issuer = str(base.get("IssuerOfPatientID", "") or "")
    return {"type": "Patient", "identifier": {"value": number, **_assigner(issuer)}}


def _assigner(issuer: str) -> Json:
    return {"assigner": {"display": issuer}} if issuer else {}


def _device(context: ResultContext) -> Json:
    model = context.model
    return {
        "resourceType": "Device",
        "manufacturer": MANUFACTURER,
        "deviceName": [{"name": f"Healer, {model['id']}", "type": "model-name"}],
        "version": [{"value": __version__}, {"value": str(model.get("revision"))}],
        "note": [{"text": NOTICE}],
    }


def _imaging_study(context: ResultContext) -> Json:
    series = context.series
    modality = {"system": SYSTEMS["DCM"], "code": "SM"}
    return {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": DICOM_UIDS, "value": f"urn:oid:{series.study_uid}"}],
        "status": "available",
        "subject": _subject(context),
        "modality": [modality],
        "series": [{"uid": series.series_uid, "modality": modality}],
    }


def _observations(context: ResultContext) -> Iterator[tuple[str, Json]]:
    document, book = context.slide.document, context.codes
    verdict = {
        "valueCodeableConcept": _concept(book.verdict(document["verdict"])),
        "note": [{"text": context.slide.sentence}],
    }
    yield "verdict", _observation(context, book["verdict"], verdict)
    if second := document["second_answer"]:
        value = {"valueCodeableConcept": _concept(book.verdict(second["verdict"]))}
        yield "second answer", _observation(context, book["second_answer"], value)
    for name, number, unit in slide_measurements(context):
        quantity = {"value": number, "unit": unit.meaning, "code": unit.value}
        value = {"valueQuantity": {**quantity, "system": SYSTEMS["UCUM"]}}
        yield name.meaning, _observation(context, name, value)


def _observation(context: ResultContext, code: Code, value: Json) -> Json:
    return {
        "resourceType": "Observation",
        "status": STATUS,
        "code": _concept(code),
        "subject": _subject(context),
        "device": _to(context, DEVICE),
        "derivedFrom": [_to(context, "study")],
        **value,
    }


def _diagnostic_report(context: ResultContext, observations: list[str]) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": STATUS,
        "code": _concept(context.codes["pathology_report"]),
        "subject": _subject(context),
        "result": [_to(context, name) for name in observations],
        "imagingStudy": [_to(context, "study")],
        "conclusion": context.slide.sentence,
        "extension": [
            {
                "url": f"{SYSTEMS['99HEALER']}/dicom-report",
                "valueUri": f"urn:oid:{context.uid('instance', KIND, '1')}",
            }
        ],
    }


def _provenance(context: ResultContext) -> Json:
    return {
        "resourceType": "Provenance",
        "target": [_to(context, "report")],
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "agent": [{"who": _to(context, DEVICE)}],
        "entity": [{"role": "source", "what": _to(context, "study")}],
    }
