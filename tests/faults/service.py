"""A service in this process, and its clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx2 as httpx
from starlette.testclient import TestClient

from healer.engines.base import Engine, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

STREAM = {"Accept": "text/event-stream"}


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"gate": "off", **changes})


class Gated(FakeEngine):
    """Scores only while its gate is open."""

    def __init__(self) -> None:
        self.gate, self.begun = threading.Event(), threading.Event()
        self.scored = 0

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.scored += len(tiles)
        self.begun.set()
        self.gate.wait()
        return super().score(tiles)


@contextmanager
def service(engine: Engine, **changes: object) -> Iterator[TestClient]:
    with TestClient(create_app(settings(**changes), engine=engine)) as client:
        wait_until_ready(client)
        yield client


def predict(client: TestClient, colour: str = "pink", **headers: str) -> httpx.Response:
    sent = {"image_file": png(colour)}
    answer: httpx.Response = client.post("/predict", files=sent, headers=headers)
    return answer


def until(condition: Callable[[], object]) -> None:
    """How long it takes says nothing; only for ever is too long."""
    for _ in range(12_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to be")
