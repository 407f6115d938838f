"""Watching the service."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


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
