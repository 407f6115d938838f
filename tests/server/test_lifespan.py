"""Starting and stopping: what was started is stopped, whatever else fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import wait_until_ready


class Parts:
    """Names each part of an application as it is stopped; the ones named `failing` fail then."""

    def __init__(self, app: Any, failing: str) -> None:  # noqa: ANN401 - FastAPI's own state
        self.app, self.stopped = app, list[str]()
        self._failing = failing
        self._wrap(app.state.service, "stop")
        self._wrap(app.state.image_loader, "stop")
        app.state.journal.close = self._closing("journal", app.state.journal.close)

    def _wrap(self, part: Any, name: str) -> None:  # noqa: ANN401 - any part
        stop, called = getattr(part, name), type(part).__name__

        async def stopping() -> None:
            self.stopped.append(called)
            await stop()
            self._fail(called)

        setattr(part, name, stopping)

    def _closing(self, called: str, close: Callable[[], None]) -> Callable[[], None]:
        def closing() -> None:
            self.stopped.append(called)
            close()
            self._fail(called)

        return closing

    def _fail(self, called: str) -> None:
        if called == self._failing:
            raise RuntimeError(f"{called} does not stop")


@pytest.mark.parametrize("failing", ["Service", "InProcess", "journal"])
def test_a_part_that_fails_to_stop_keeps_no_other_from_it(failing: str) -> None:
    parts = Parts(create_app(Settings(gate="off"), engine=FakeEngine()), failing)
    with (
        pytest.raises(RuntimeError, match=f"{failing} does not stop"),
        TestClient(parts.app) as client,
    ):
        wait_until_ready(client)
    assert parts.stopped == ["Service", "InProcess", "journal"]


def test_what_was_started_is_stopped_where_the_rest_does_not_start() -> None:
    parts = Parts(create_app(Settings(gate="off"), engine=FakeEngine()), "")

    async def failing() -> None:
        raise OSError("no process can be started")

    parts.app.state.image_loader.start = failing
    with pytest.raises(OSError, match="no process can be started"), TestClient(parts.app):
        raise AssertionError("it must not serve")
    assert parts.stopped == ["InProcess", "journal"]
