"""A real server process, and what it sends to a collector on a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs healer[otel]")

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from PIL import Image

from healer.screening.screener import known_tile
from tests.conftest import REPO
from tests.server.collector import Collector, collecting

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "Doe_Jane_1970"  # noqa: S105 - a name, as it may stand in any field
STAGES = ["receive", "decode", "gate", "queue", "score", "explain"]


@dataclass(frozen=True)
class Traced:
    collector: Collector
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """After an answer, a refusal and a 404, each with a name wherever one fits; then SIGTERM."""
    log = tmp_path_factory.mktemp("traced") / "log"
    with collecting() as (collector, address):
        reporting = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=pathology,deployment.environment=test",
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",  # its spans hold paths: they must not be sent
        }
        with log.open("w") as out, server(out, reporting) as (process, url):
            predict(url)
            process.send_signal(signal.SIGTERM)
            assert process.wait() == -signal.SIGTERM  # after it has stopped in order
        yield Traced(collector, [json.loads(line) for line in lines(log)])


class server:  # noqa: N801 - used as a function
    def __init__(self, out: Any, variables: dict[str, str]) -> None:  # noqa: ANN401
        inherited = {
            name: text for name, text in os.environ.items() if not name.startswith("OTEL_")
        }
        self._out, self._environ = out, {**inherited, "HEALER_LOG_FORMAT": "json", **variables}

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        command = [sys.executable, "-m", "healer", "serve", "--engine", "builtin", "--port", "0"]
        self._process = subprocess.Popen(command, stderr=self._out, cwd=REPO, env=self._environ)
        while self._process.poll() is None:
            if found := re.search(r"http://[\d.]+:\d+", Path(self._out.name).read_text("utf-8")):
                return self._process, ready(found.group())
        raise AssertionError(Path(self._out.name).read_text("utf-8"))

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def ready(url: str) -> str:
    with httpx.Client(base_url=url) as client:
        for _ in range(5000):
            try:
                if client.get("/ready").status_code == 200:
                    return url
            except httpx.TransportError:
                continue
    raise AssertionError("never ready")


def predict(url: str) -> None:
    headers = {
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": f"vendor={SECRET}",
        "baggage": f"patient={SECRET}",
        "X-Request-ID": SECRET,
        "User-Agent": SECRET,
    }
    with httpx.Client(base_url=url, headers=headers) as client:
        sent = {"image_file": (f"{SECRET}.png", drawn(), f"image/{SECRET}")}
        response = client.post("/predict", files=sent, data={"gate": "warn"})
        assert response.status_code == 200
        refused = client.post("/predict", files={"image_file": (f"{SECRET}.png", b"none")})
        assert refused.status_code == 415
        assert (
            client.get(f"/{SECRET}?name={SECRET}", headers={"traceparent": ""}).status_code == 404
        )


def drawn() -> bytes:
    buffer = BytesIO()
    Image.fromarray(known_tile().pixels).save(buffer, "PNG")
    return buffer.getvalue()


def lines(log: Path) -> list[str]:
    return [line for line in log.read_text("utf-8").splitlines() if line.startswith("{")]


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def answered(traced: Traced) -> Span:
    return next(
        span
        for span in traced.collector.spans
        if attributes(span).get("http.response.status_code") == 200
    )


def test_an_answer_is_a_span_of_the_callers_trace(traced: Traced) -> None:
    span = answered(traced)
    assert span.name == "POST /predict"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
    }
    assert traced.collector.paths == {"/v1/traces"}


def test_its_stages_are_children_that_lie_within_it_one_after_another(traced: Traced) -> None:
    parent = answered(traced)
    children = [span for span in traced.collector.spans if span.parent_span_id == parent.span_id]
    assert [span.name for span in sorted(children, key=lambda each: each.start_time_unix_nano)] == (
        STAGES
    )
    for span in children:
        assert span.trace_id == parent.trace_id
        assert parent.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= parent.end_time_unix_nano


def test_the_engines_own_stages_lie_within_the_score(traced: Traced) -> None:
    scored = traced.collector.named("score")
    within = [span for span in traced.collector.spans if span.parent_span_id == scored.span_id]
    assert [span.name for span in within] == ["preprocess", "infer"]
    for span in within:
        assert scored.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= scored.end_time_unix_nano


def test_a_refusal_says_its_code_and_is_no_error_of_ours(traced: Traced) -> None:
    span = next(
        span
        for span in traced.collector.spans
        if attributes(span).get("error.type") == "not_an_image"
    )
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert attributes(span)["http.response.status_code"] == 415


def test_a_caller_without_a_trace_gets_one(traced: Traced) -> None:
    span = traced.collector.named("GET unknown")
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE


def test_the_service_names_itself(traced: Traced) -> None:
    fields = {
        each.key: each.value.string_value
        for each in traced.collector.resources[0].resource.attributes
    }
    assert fields["service.name"] == "pathology"
    assert fields["deployment.environment"] == "test"
    assert fields["service.version"]


def test_probes_are_not_traced(traced: Traced) -> None:
    assert {span.name for span in traced.collector.spans if span.kind == Span.SPAN_KIND_SERVER} == {
        "POST /predict",
        "GET unknown",
    }


def test_no_name_leaves_in_a_span(traced: Traced) -> None:
    assert traced.collector.received
    assert not [data for data in traced.collector.received if SECRET.encode() in data]


def test_a_requests_log_lines_carry_its_trace(traced: Traced) -> None:
    ours = [line for line in traced.log if line.get("trace_id") == TRACE]
    assert {line["event"] for line in ours} == {"request"}
    assert {line.get("code") for line in ours} >= {None, "not_an_image"}
    spans = {span.span_id.hex() for span in traced.collector.spans}
    assert {line["span_id"] for line in ours} <= spans


def test_a_service_stops_in_time_though_its_collector_is_away(tmp_path: Path) -> None:
    log = tmp_path / "log"
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with log.open("w") as out, server(out, away) as (process, url):
        predict(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM
    assert SECRET not in "".join(line for line in lines(log) if "request_id" not in line)
