"""What every error of Healer is made of, and those of no branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

Json = str | int | float | bool | None | Sequence[Mapping[str, str | float]]


@dataclass(eq=False)
class HealerError(Exception):
    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    message: ClassVar[str] = "Something went wrong."
    exit_code: ClassVar[int] = 1
    # Whether the same request, sent again later, may be answered without anyone changing anything.
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.message.format(**self.fields())

    def __reduce__(self) -> tuple[type[Self], tuple[Json, ...]]:
        """Errors cross the border between processes."""
        return type(self), tuple(self.fields().values())

    @classmethod
    def branch_codes(cls) -> set[str]:
        """Its code, and those of the errors below it in the tree."""
        return {cls.code}.union(*(kind.branch_codes() for kind in cls.__subclasses__()))

    def fields(self) -> dict[str, Json]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(eq=False)
class InvalidSettings(HealerError):
    variable: str
    reason: str
    code = "invalid_settings"
    title = "A setting cannot be used"
    message = "{variable} {reason}."
    exit_code = 2


@dataclass(eq=False)
class InternalError(HealerError):
    reason: str
    code = "internal_error"
    title = "Healer failed in a way it did not foresee"
    message = (
        "Healer failed on this image in a way it did not foresee ({reason}); the log holds the "
        "cause under request_id. Other images are answered. Export this one again as a plain PNG, "
        "and please report the failure."
    )


@dataclass(eq=False)
class ShuttingDown(HealerError):
    code = "shutting_down"
    title = "The service is shutting down"
    message = (
        "Healer is shutting down: it finishes the answers it has begun and takes no new ones. "
        "Send the image again in a moment."
    )
    retryable = True


@dataclass(eq=False)
class TracingLibrariesMissing(HealerError):
    reason: str
    code = "tracing_libraries_missing"
    title = "The libraries for traces are not installed"
    message = (
        "OTEL_EXPORTER_OTLP_ENDPOINT needs libraries that are missing ({reason}). Install them "
        "with: pip install 'healer[otel]', or unset it."
    )
    exit_code = 99


@dataclass(eq=False)
class RequestError(HealerError):
    code = "bad_request"
    title = "The request cannot be answered"
    message = "The request cannot be answered."
    exit_code = 30
