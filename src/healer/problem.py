"""What stands in the place of an answer where there is none, on the wire and in every file."""

from __future__ import annotations

from http import HTTPStatus
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from healer import errors

STATUSES: dict[type[errors.HealerError], HTTPStatus] = {
    errors.HealerError: HTTPStatus.INTERNAL_SERVER_ERROR,
    # 503 passes by itself; what waits for somebody to act is a 500, and a 502 where that is at
    # the model's server.
    errors.ModelError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ModelNotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.EngineHung: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamError: HTTPStatus.BAD_GATEWAY,
    errors.UpstreamUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamChanged: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Busy: HTTPStatus.TOO_MANY_REQUESTS,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ImageReaderLost: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AuditUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AuditOff: HTTPStatus.NOT_FOUND,
    errors.HospitalError: HTTPStatus.BAD_GATEWAY,
    errors.ArchiveUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ArchiveFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ResultsRejected: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.FhirRefused: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RequestError: HTTPStatus.BAD_REQUEST,
    errors.AnswerUnknown: HTTPStatus.NOT_FOUND,
    errors.ReviewUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UploadNotMultipart: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.MissingField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RepeatedField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownParameter: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BodyEncoded: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.AddressUnknown: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.EmptyFile: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyBytes: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAnImage: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnsupportedFormat: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooManyPixels: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.SlideError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SlidesOff: HTTPStatus.NOT_FOUND,
    errors.SlideUnknown: HTTPStatus.NOT_FOUND,
    errors.SlideNotRead: HTTPStatus.NOT_FOUND,
    errors.NoTileHere: HTTPStatus.NOT_FOUND,
    errors.NoPictureHere: HTTPStatus.NOT_FOUND,
    errors.SlideBeingRead: HTTPStatus.CONFLICT,
    errors.SlideNotBeingRead: HTTPStatus.CONFLICT,
    errors.SlideRequestUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ResultsUnusable: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.CredentialsMissing: HTTPStatus.UNAUTHORIZED,
    errors.KeyRejected: HTTPStatus.UNAUTHORIZED,
    errors.KeyExpired: HTTPStatus.UNAUTHORIZED,
    errors.IdentityRejected: HTTPStatus.UNAUTHORIZED,
    errors.IdentityUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RemoteAccessDenied: HTTPStatus.FORBIDDEN,
    errors.HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ClientTooSlow: HTTPStatus.REQUEST_TIMEOUT,
}


def status_of(error: type[errors.HealerError]) -> HTTPStatus:
    """The status of the nearest ancestor that has one."""
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


RETRY_AFTER_SECONDS = 5  # where nothing was measured


def retry_after(error: errors.HealerError) -> int | None:
    """Seconds to wait before sending the same again; None where waiting does not help."""
    if isinstance(error, errors.Busy):
        return error.retry_after
    return RETRY_AFTER_SECONDS if error.retryable else None


class Problem(BaseModel):
    """RFC 9457. Further fields carry what the sentence in `detail` was built from."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; switch on this.")
    request_id: str
    retryable: bool = Field(
        default=False,
        description="Whether the same request, sent again later, may be answered without anyone "
        "changing anything. Where false, do not send it again as it is.",
    )
    retry_after: int | None = Field(
        default=None,
        description="Seconds to wait before sending it again, as in the header Retry-After; null "
        "where `retryable` is false.",
    )

    @classmethod
    def of(cls, error: errors.HealerError, request_id: str) -> Self:
        status = status_of(type(error))
        return cls(
            type=f"urn:healer:problem:{error.code}",
            title=error.title,
            status=int(status),
            detail=str(error),
            code=error.code,
            request_id=request_id,
            **{
                "retryable": error.retryable,
                "retry_after": retry_after(error),
                **error.fields(),
            },
        )
