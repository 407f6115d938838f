"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


class Collector:
    """`received` is what came, byte for byte."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.paths: set[str] = set()

    @property
    def resources(self) -> list[ResourceSpans]:
        found = []
        for data in self.received:
            request = ExportTraceServiceRequest()
            request.ParseFromString(data)
            found += list(request.resource_spans)
        return found

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for resource in self.resources
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> Span:
        return next(span for span in self.spans if span.name == name)


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """The collector and its address."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            collector.received.append(gzip.decompress(data) if zipped else data)
            collector.paths.add(self.path)
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
