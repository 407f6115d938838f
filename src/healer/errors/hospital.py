"""DICOM archives, the record system, and what is sent to them."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class HospitalError(HealerError):
    code = "hospital_failed"
    title = "The hospital's systems could not be used"
    message = "The hospital's systems could not be used."
    exit_code = 112


@dataclass(eq=False)
class NotADicomSlide(HospitalError):
    name: str
    code = "not_a_dicom_slide"
    title = "The slide is not in DICOM"
    message = (
        "{name} is no whole-slide DICOM series, and DICOM results need one to refer to. Name a "
        "file or the folder of a series, or leave out --dicom-results."
    )
    exit_code = 113


@dataclass(eq=False)
class HospitalNotInstalled(HospitalError):
    module: str
    code = "hospital_not_installed"
    title = "The hospital extra is missing"
    message = "{module} is missing. Install it: pip install 'healer[hospital]'."
    exit_code = 114


@dataclass(eq=False)
class ArchiveUnreachable(HospitalError):
    reason: str
    code = "dicomweb_unreachable"
    title = "The DICOM archive does not answer"
    message = (
        "The DICOM archive does not answer ({reason}). Check its address and the network; "
        "healer watch tries again by itself."
    )
    exit_code = 115
    retryable = True


@dataclass(eq=False)
class ArchiveRefused(HospitalError):
    answered: int
    code = "dicomweb_refused"
    title = "The DICOM archive refuses"
    message = (
        "The DICOM archive answered {answered}. For 401 and 403, check HEALER_DICOMWEB_TOKEN, or "
        "HEALER_DICOMWEB_USER and HEALER_DICOMWEB_PASSWORD; for 404, the address and the UIDs."
    )
    exit_code = 116


@dataclass(eq=False)
class ArchiveFull(HospitalError):
    reason: str
    code = "dicomweb_full"
    title = "The DICOM archive does not store"
    message = (
        "The DICOM archive did not store the results ({reason}). They are kept, and healer watch "
        "stores them when it takes them again; see to its space."
    )
    exit_code = 117
    retryable = True


@dataclass(eq=False)
class ResultsRejected(HospitalError):
    reason: str
    code = "dicomweb_results_rejected"
    title = "The DICOM archive rejects the results"
    message = (
        "The DICOM archive rejected a result of the slide ({reason}). It lies in the slide's "
        "folder under dicom/; the archive's log says what it minds."
    )
    retryable = True


@dataclass(eq=False)
class SeriesUnknown(HospitalError):
    uid: str
    code = "dicomweb_series_unknown"
    title = "The archive holds no such series"
    message = (
        "The archive holds no whole-slide series {uid}. Check the UID and the archive's address."
    )
    exit_code = 118


@dataclass(eq=False)
class WatchTaken(HospitalError):
    folder: str
    code = "watch_taken"
    title = "Another watch uses the folder"
    message = "Another healer watch writes to {folder}. Stop it, or name another folder with --out."


@dataclass(eq=False)
class FhirRefused(HospitalError):
    reason: str
    code = "fhir_refused"
    title = "The FHIR server did not take the report"
    message = (
        "The FHIR server did not take the report ({reason}). It lies in the slide's folder as "
        "fhir.json; check HEALER_FHIR_URL and HEALER_FHIR_TOKEN."
    )
    exit_code = 119
    retryable = True


@dataclass(eq=False)
class FhirUnavailable(FhirRefused):
    code = "fhir_unavailable"
    title = "The FHIR server does not answer"
