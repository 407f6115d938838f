from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from healer.errors import InvalidSettings
from healer.main import create_app
from healer.server.middleware.instrumentation import known_method
from healer.settings.loading import Settings
from healer.telemetry.tracing import configured, open_tracing
from tests.conftest import REPO
from tests.fake_engine import FakeEngine

AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        (AT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        (AT | {"OTEL_SDK_DISABLED": "true"}, False),
        (AT | {"OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_on_where_a_collector_is_named(
    environ: Mapping[str, str], expected: bool
) -> None:
    assert configured(environ) is expected


def test_another_protocol_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in AT.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(InvalidSettings, match="must be http/protobuf"):
        open_tracing()


def test_a_method_that_a_client_made_up_is_not_recorded() -> None:
    assert known_method("POST") == "POST"
    assert known_method("DOE_JANE") == "_OTHER"


def test_without_a_collector_nothing_that_sends_is_imported() -> None:
    """FastAPI imports opentelemetry's API itself, which does nothing by itself."""
    program = (
        "import sys; from tests.telemetry.test_tracing import application; application();"
        "senders = ('opentelemetry.sdk', 'opentelemetry.exporter');"
        "sys.exit(any(name.startswith(senders) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=REPO, check=False).returncode == 0


def application() -> object:
    return create_app(Settings(_env_file=None), engine=FakeEngine())


def test_missing_libraries_are_named() -> None:
    program = (
        "import os, sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
        f"os.environ.update({AT!r})\n"
        "from healer.telemetry.tracing import open_tracing\n"
        "open_tracing()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, check=False, capture_output=True, text=True
    )
    assert "TracingLibrariesMissing" in done.stderr
    assert "pip install 'healer[otel]'" in done.stderr
