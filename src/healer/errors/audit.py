"""The audit log."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError, RequestError


@dataclass(eq=False)
class AuditError(HealerError):
    code = "audit_failed"
    title = "The audit log failed"
    message = "The audit log failed."
    exit_code = 90


@dataclass(eq=False)
class AuditUnavailable(AuditError):
    reason: str
    code = "audit_unavailable"
    title = "The audit log is not available"
    message = (
        "The audit log (HEALER_AUDIT) is not available: {reason}. Nothing was recorded; try again "
        "in a moment, and if that does not help, see what Healer logs."
    )
    exit_code = 91
    retryable = True


@dataclass(eq=False)
class AuditOutdated(AuditError):
    found: str
    needed: str
    code = "audit_outdated"
    title = "The audit log's tables are of another version"
    message = (
        "The audit log's tables are of version {found}, and this Healer needs {needed}. Run "
        "`healer audit upgrade` with the newest Healer that uses this log."
    )
    exit_code = 92


@dataclass(eq=False)
class AuditLibrariesMissing(AuditError):
    reason: str
    code = "audit_libraries_missing"
    title = "The audit log's libraries are not installed"
    message = (
        "HEALER_AUDIT needs libraries that are missing ({reason}). Install them with: "
        "pip install 'healer[audit]'"
    )
    exit_code = 93


@dataclass(eq=False)
class AuditUnreadable(AuditError):
    reason: str
    code = "audit_unreadable"
    title = "The audit log cannot be read as it lies there"
    message = "The audit log (HEALER_AUDIT) cannot be read as it lies there: {reason}."
    exit_code = 94


@dataclass(eq=False)
class AuditOff(RequestError):
    code = "audit_off"
    title = "No audit log is kept here"
    message = (
        "No audit log is kept here, so nothing was recorded. The operator can set HEALER_AUDIT."
    )


@dataclass(eq=False)
class AuditBroken(AuditError):
    sequence: int
    reason: str
    code = "audit_broken"
    title = "The audit log was altered"
    message = (
        "Record {sequence} is the first that does not fit: {reason}. The records before it are as "
        "they were written. Compare with an export or a backup."
    )
    exit_code = 95


@dataclass(eq=False)
class AnchorMissing(AuditError):
    head: str
    records: int
    code = "anchor_missing"
    title = "The audit log does not hold the anchor"
    message = (
        "None of the {records} records has the hash {head}: the log was cut off before that "
        "record or rewritten, or the hash is another log's. Compare with an export or a backup."
    )
    exit_code = 96


@dataclass(eq=False)
class ImageNotRecorded(AuditError):
    code = "image_not_recorded"
    title = "No answer for this image is recorded"
    message = (
        "The log holds no answer for this file, nor for a picture with the same pixels. Give the "
        "very file that was sent."
    )
    exit_code = 97


@dataclass(eq=False)
class SlideNotRecorded(AuditError):
    slide: str
    code = "slide_not_recorded"
    title = "No answer for this slide is recorded"
    message = (
        "The log holds no answer for the slide {slide}. Give its id as the log and the page's "
        "address have it, with the HEALER_SLIDES and HEALER_RESULTS of the service."
    )
    exit_code = 97


@dataclass(eq=False)
class NotReplayable(AuditError):
    reason: str
    code = "not_replayable"
    title = "The answer cannot be recomputed with what is configured"
    message = (
        "Every recorded answer was given by, or for, something else than is configured: {reason}. "
        "Set HEALER_ENGINE, MODEL_DIR and the rest to what answered then."
    )
    exit_code = 98


@dataclass(eq=False)
class AnswerUnknown(RequestError):
    code = "answer_unknown"
    title = "No such answer is recorded"
    message = "The audit log holds no answer with this request_id. Send that of a recorded answer."


@dataclass(eq=False)
class ReviewUnreadable(RequestError):
    reason: str
    code = "review_unreadable"
    title = "The review cannot be read"
    message = (
        "The review cannot be read ({reason}). Send JSON with request_id, agrees (true or false) "
        "and, if need be, a note of at most 500 characters; for a slide, slide, region (null for "
        "the whole slide) and agreement."
    )
