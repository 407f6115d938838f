"""A line that is written often is the line that structlog would write."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from healer.settings.loading import Settings
from healer.telemetry.logs import FrequentLine, configure

NAME = "healer.of_these_tests"


def line() -> FrequentLine:
    return FrequentLine(NAME, "request", route="/predict", status=429)


def configured(**changes: Any) -> io.StringIO:  # noqa: ANN401 - a setting's own type decides
    """The log, with no handler beside ours."""
    sys.stderr = written = io.StringIO()
    configure(Settings(_env_file=None, **changes))
    return written


@pytest.fixture(autouse=True)
def _own_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("healer")
    levels = root.level, ours.level
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(root, "handlers", root.handlers)
    yield
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_it_says_what_structlog_would() -> None:
    written = configured(log_format="json")
    line().write([{"ms": 0.1, "request_id": 'a"\u00e9'}])
    structlog.get_logger(NAME).info(
        "request", route="/predict", status=429, ms=0.1, request_id='a"\u00e9'
    )
    one, other = (json.loads(each) for each in written.getvalue().splitlines())
    stamps = [each.pop("timestamp") for each in (one, other)]
    assert one == other
    assert all(stamp.endswith("Z") and len(stamp) == len(stamps[0]) for stamp in stamps)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(stamps[0])).total_seconds() < 60


def test_it_has_a_level() -> None:
    written = configured(log_format="json", log_level="warning")
    line().write([{"ms": 0.1}])
    assert not written.getvalue()


def test_on_a_console_structlog_writes_it() -> None:
    written = configured(log_format="console")
    line().write([{"ms": 0.1}])
    assert "request" in written.getvalue()
    assert "{" not in written.getvalue()


def test_another_handler_gets_it_too() -> None:
    written = configured(log_format="json")
    records: list[logging.LogRecord] = []
    other = logging.Handler()
    other.emit = records.append  # type: ignore[method-assign,assignment]
    logging.getLogger().handlers.append(other)
    line().write([{"ms": 0.1}])
    assert len(records) == 1
    assert json.loads(written.getvalue())["ms"] == 0.1


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written = configured(log_format="json")
    written.close()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    line().write([{"ms": 0.1}])
