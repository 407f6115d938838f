"""A DICOM archive over DICOMweb: QIDO finds series, WADO gives headers and frames, STOW stores.

Secrets go into requests' headers and nowhere else. The client's own log, which quotes addresses
with UIDs in them, is silenced.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydicom
import requests
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from pydicom.dataset import Dataset

from healer.errors.base import InvalidSettings
from healer.errors.hospital import (
    ArchiveFull,
    ArchiveRefused,
    ArchiveUnreachable,
    ResultsRejected,
    SeriesUnknown,
)
from healer.settings.hospital import HospitalSettings

Json = dict[str, Any]
SLIDES = "SM"
PAGE = 100
AS_STORED = (("application/octet-stream", "*"),)  # not decoded by the archive
FULL, NOT_ALLOWED = (413, 507), (401, 403)
OUT_OF_RESOURCES = range(0xA700, 0xA800)  # DICOM PS3.18, I.2.2
SERVER_ERRORS, CLIENT_ERRORS = 500, 400
LOCAL = ("127.0.0.1", "localhost", "::1")
STUDY, SERIES, INSTANCE, INSTANCES = "0020000D", "0020000E", "00080018", "00201209"

logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """`instances` is how many the archive has of it so far, where it says so."""

    study: str
    series: str
    instances: int | None


class Archive:
    """Raises ArchiveUnreachable, ArchiveRefused and, on storing, ArchiveFull and
    ResultsRejected."""

    def __init__(self, address: str, settings: HospitalSettings) -> None:
        self._client = DICOMwebClient(
            address.rstrip("/"),
            session=_session(address, settings),
            timeout=settings.dicomweb_timeout,
            permissive_uid=True,
        )
        self._client.set_http_retry_params(retry=False)  # who calls knows how long to wait

    def slides(self) -> Iterator[FoundSeries]:
        """Every whole-slide series, a page at a time, until one brings nothing new: an archive may
        give fewer than were requested, and some give the same ones again and again."""
        seen: set[str] = set()
        while True:
            with _errors():
                found = self._client.search_for_series(
                    search_filters={"Modality": SLIDES},
                    fields=["NumberOfSeriesRelatedInstances"],
                    limit=PAGE,
                    offset=len(seen),
                )
            new = [each for each in map(_found, found) if each.series not in seen]
            if not new:
                return
            seen.update(each.series for each in new)
            yield from new

    def series(self, uid: str) -> FoundSeries:
        """Raises SeriesUnknown."""
        with _errors():
            found = self._client.search_for_series(search_filters={"SeriesInstanceUID": uid})
        if not found:
            raise SeriesUnknown(uid)
        return _found(found[0])

    def headers(self, found: FoundSeries) -> list[Dataset]:
        """Of all its instances, without what is held apart in bulk."""
        with _errors():
            documents = self._client.retrieve_series_metadata(found.study, found.series)
        return [Dataset.from_json(_without_bulk(each)) for each in documents]

    def frames(self, found: FoundSeries, instance: str, numbers: Sequence[int]) -> list[bytes]:
        """As they are stored, counted from 1."""
        with _errors():
            return self._client.retrieve_instance_frames(
                found.study, found.series, instance, list(numbers), media_types=AS_STORED
            )

    def holds(self, study: str, instance: str) -> bool:
        with _errors():
            return bool(
                self._client.search_for_instances(
                    study, search_filters={"SOPInstanceUID": instance}
                )
            )

    def store(self, files: Sequence[Path]) -> None:
        """One at a time, in order; what is there already is passed over."""
        for file in files:
            dataset = pydicom.dcmread(file)
            if not self.holds(dataset.StudyInstanceUID, dataset.SOPInstanceUID):
                self._store(dataset)

    def _store(self, dataset: Dataset) -> None:
        try:
            with _errors():
                answer = self._client.store_instances([dataset])
        except ArchiveRefused as error:
            if error.answered in NOT_ALLOWED:
                raise
            raise ResultsRejected(f"it answered {error.answered}") from None
        for failed in answer.get("FailedSOPSequence", ()):
            reason = int(failed.get("FailureReason", 0))
            if reason in OUT_OF_RESOURCES:
                raise ArchiveFull(f"failure reason {reason:#06x}")
            raise ResultsRejected(f"failure reason {reason:#06x}")
        stored = {each.get("ReferencedSOPInstanceUID") for each in _references(answer)}
        # A full Orthanc answers 200, and calls the object neither stored nor failed.
        if dataset.SOPInstanceUID not in stored and not self.holds(
            dataset.StudyInstanceUID, dataset.SOPInstanceUID
        ):
            raise ArchiveFull("it did not refuse the results, and does not hold them")


def _session(address: str, settings: HospitalSettings) -> requests.Session:
    """Raises InvalidSettings."""
    token, user = settings.dicomweb_token, settings.dicomweb_user
    place = urlsplit(address)
    if place.username or place.password or place.query:
        raise InvalidSettings(
            "--dicomweb", "must hold no user, password or query; HEALER_DICOMWEB_TOKEN is for keys"
        )
    if token and user:
        raise InvalidSettings(
            "HEALER_DICOMWEB_TOKEN", "and HEALER_DICOMWEB_USER exclude each other"
        )
    if (token or user) and place.scheme != "https" and place.hostname not in LOCAL:
        raise InvalidSettings(
            "--dicomweb", "must begin with https:// where a token or password is sent"
        )
    session = requests.Session()
    if user:
        password = settings.dicomweb_password
        session = create_session_from_user_pass(
            user, password.get_secret_value() if password else ""
        )
    if token:
        session.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    if settings.dicomweb_ca:
        session.verify = str(settings.dicomweb_ca)
    return session


@contextmanager
def _errors() -> Iterator[None]:
    """In words that hold no address: it may name a patient's study."""
    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else SERVER_ERRORS
        if status in FULL:
            raise ArchiveFull(f"it answered {status}") from None
        if status >= SERVER_ERRORS or status == requests.codes.too_many_requests:
            raise ArchiveUnreachable(f"it answered {status}") from None
        raise ArchiveRefused(status) from None
    except requests.RequestException as error:
        raise ArchiveUnreachable(type(error).__name__) from None


def _references(answer: Dataset) -> list[Dataset]:
    return list(answer.get("ReferencedSOPSequence") or ())


def _found(document: Json) -> FoundSeries:
    count = _first(document, INSTANCES)
    return FoundSeries(
        str(_first(document, STUDY)),
        str(_first(document, SERIES)),
        None if count is None else int(count),
    )


def _first(document: Json, tag: str) -> Any:  # noqa: ANN401 - a value of any type
    values = document.get(tag, {}).get("Value") or [None]
    return values[0]


def _without_bulk(document: Json) -> Json:
    """Pixels, and whatever else is only pointed to."""
    return {
        tag: {**element, "Value": [_without_bulk(item) for item in element.get("Value", [])]}
        if element.get("vr") == "SQ"
        else element
        for tag, element in document.items()
        if "BulkDataURI" not in element
    }
