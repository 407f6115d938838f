"""The bundle a record system gets: valid R4, preliminary, from a machine, and stored once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("fhir.resources", reason="reports need healer[hospital]")
pytest.importorskip("highdicom", reason="results need healer[hospital]")

from fhir.resources.R4B.bundle import Bundle

from healer.errors.hospital import FhirRefused, FhirUnavailable
from healer.hospital.fhir import post_report, report_bundle
from healer.settings.loading import load_settings
from tests.hospital.slides import PATIENT, PATIENT_ID, context

Json = dict[str, Any]


def resources(codes: str = "SCT,LN") -> list[Json]:
    document = json.loads(report_bundle(context(codes)).model_dump_json())
    return [entry["resource"] for entry in document["entry"]]


def of_type(kind: str) -> list[Json]:
    return [each for each in resources() if each["resourceType"] == kind]


def test_the_bundle_is_valid_and_holds_what_a_report_needs() -> None:
    text = report_bundle(context()).model_dump_json()
    assert Bundle.model_validate_json(text).type == "transaction"
    kinds = {each["resourceType"] for each in resources()}
    assert kinds == {
        "Device",
        "ImagingStudy",
        "Observation",
        "DiagnosticReport",
        "Provenance",
    }


def test_reports_and_observations_are_preliminary_and_from_a_machine() -> None:
    for each in [*of_type("DiagnosticReport"), *of_type("Observation")]:
        assert each["status"] == "preliminary"
    assert {label["code"] for each in resources() for label in each["meta"]["security"]} == {
        "AIAST"
    }


def test_the_verdict_is_coded_and_says_what_was_read() -> None:
    (report,) = of_type("DiagnosticReport")
    assert report["code"]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "60568-3",
        "display": "Pathology Synoptic report",
    }
    assert "mm² were read" in report["conclusion"]
    verdict = of_type("Observation")[0]
    assert verdict["valueCodeableConcept"]["coding"][0]["code"] == "415684004"
    assert len(report["result"]) == len(of_type("Observation"))


def test_a_score_that_is_not_calibrated_is_called_no_probability() -> None:
    names = {each["code"]["text"] for each in of_type("Observation")}
    assert context().slide.document["calibrated"] is False
    assert "Score of the slide, not a probability" in names
    assert "Probability of cancer" not in names


def test_the_patient_is_an_identifier_and_no_name() -> None:
    (report,) = of_type("DiagnosticReport")
    assert report["subject"]["identifier"]["value"] == PATIENT_ID
    assert PATIENT not in json.dumps(resources())


def test_licensed_codes_can_be_left_out() -> None:
    text = json.dumps(resources("none"))
    assert "snomed" not in text
    assert "loinc" not in text


def test_the_same_answer_makes_the_same_resources() -> None:
    def requests() -> list[Json]:
        document = json.loads(report_bundle(context()).model_dump_json())
        return [entry["request"] for entry in document["entry"]]

    assert requests() == requests()
    for request in requests():
        assert request["method"] == "PUT" or "ifNoneExist" in request


@dataclass
class Recorded:
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def record_system(recorded: Recorded) -> Iterator[str]:
    """A server on a real socket that keeps what it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            recorded.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            recorded.headers.append(dict(self.headers))
            self.send_response(recorded.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/fhir"
        server.shutdown()


def test_it_is_posted_with_the_token() -> None:
    recorded = Recorded()
    bundle = report_bundle(context()).model_dump_json().encode()
    with record_system(recorded) as address:
        post_report(bundle, load_settings(fhir_url=address, fhir_token="CANARY-token"))  # noqa: S106
    assert Bundle.model_validate_json(recorded.bodies[0]).type == "transaction"
    assert recorded.headers[0]["Authorization"] == "Bearer CANARY-token"
    assert recorded.headers[0]["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize("status", [401, 422, 500])
def test_a_refusal_is_an_error_that_holds_no_secret(status: int) -> None:
    with record_system(Recorded(status)) as address, pytest.raises(FhirRefused) as refused:
        post_report(b"{}", load_settings(fhir_url=address, fhir_token="CANARY-token"))  # noqa: S106
    assert str(status) in str(refused.value)
    assert "CANARY" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert isinstance(refused.value, FhirUnavailable) is (status != 422)


def test_a_server_that_is_away_is_an_error_too() -> None:
    settings = load_settings(fhir_url="http://127.0.0.1:9/fhir")
    with pytest.raises(FhirRefused, match="ConnectError"):
        post_report(b"{}", settings)
