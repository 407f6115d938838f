"""Traces over OTLP, where the standard OTEL_* variables name a collector.

A request is one span, each stage of it a child, made from its RequestTrace at its end. No span
holds a name, a caller, a file or a pixel: a route, a status, a code and an engine's name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from healer import __version__
from healer.errors.base import InvalidSettings, TracingLibrariesMissing

if TYPE_CHECKING:  # an extra, and not imported unless it is used
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from healer.telemetry.observation import RequestTrace, Stage

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
SHUTDOWN_SECONDS = 2.0


def configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a collector is named, and traces are not turned off."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    other = environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    return any(environ.get(name) for name in ENDPOINTS) and not (off or other)


def open_tracing() -> Tracing | None:
    """None where no collector is named. Raises TracingLibrariesMissing or InvalidSettings."""
    if not configured():
        return None
    variable = next((name for name in PROTOCOLS if os.environ.get(name)), None)
    if variable and os.environ[variable] != PROTOCOL:
        raise InvalidSettings(variable, f"must be {PROTOCOL}, the one that Healer speaks")
    try:
        return Tracing.over_otlp()
    except ModuleNotFoundError as missing:
        raise TracingLibrariesMissing(str(missing)) from None


class Tracing:
    """Has its own provider: the process's global telemetry is left alone."""

    def __init__(self, provider: TracerProvider, exporter: SpanExporter) -> None:
        self._provider, self._exporter = provider, exporter
        self._tracer = provider.get_tracer("healer", __version__)

    @classmethod
    def over_otlp(cls) -> Self:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours = Resource.create({"service.name": "healer", "service.version": __version__})
        provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
        exporter = OTLPSpanExporter()
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider, exporter)

    @contextmanager
    def request(self, method: str, traceparent: str, started: int) -> Iterator[Span]:
        """The span of a request, current until it ends; continues the caller's trace.

        Of the caller's context only `traceparent` is taken: `tracestate` and `baggage` can hold
        any text.
        """
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        with self._tracer.start_as_current_span(
            method,
            context=TraceContextTextMapPropagator().extract({"traceparent": traceparent}),
            kind=SpanKind.SERVER,
            start_time=started,
            end_on_exit=False,
            record_exception=False,  # its words may be a client's
            set_status_on_exception=False,
        ) as span:
            yield span

    def end_request(
        self, span: Span, method: str, route: str, status: int | None, trace: RequestTrace
    ) -> None:
        """Record the request's outcome and a child span for each of its stages; end the span."""
        from opentelemetry.trace import StatusCode

        span.update_name(f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route})
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if trace.code is not None:
            span.set_attribute("error.type", trace.code)
        if (trace.status or status or 0) >= 500:
            span.set_status(StatusCode.ERROR)
        if span.is_recording():
            self._children(span, trace.stages)
        span.end(trace.now())

    def _children(self, span: Span, stages: list[Stage]) -> None:
        from opentelemetry.trace import set_span_in_context

        for stage in stages:
            child = self._tracer.start_span(
                stage.name, set_span_in_context(span), start_time=stage.started
            )
            start = stage.started
            for part, seconds in stage.parts.items():
                within = self._tracer.start_span(part, set_span_in_context(child), start_time=start)
                start += int(seconds * 1e9)
                within.end(start)
            child.end(stage.ended)

    def close(self) -> None:
        """Send what is left. Blocking; abandons an absent collector after SHUTDOWN_SECONDS."""
        timer = threading.Timer(SHUTDOWN_SECONDS, self._exporter.shutdown)
        timer.start()
        self._provider.shutdown()
        timer.cancel()


def trace_ids(span: Span) -> dict[str, str]:
    """As W3C writes them, for log lines."""
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
