"""Clients"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx2 as httpx
import pytest
import uvicorn

from healer.engines.base import Answer, Evidence
from healer.main import create_app
from healer.server.service import Service
from healer.server.uvicorn_server import config_of
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import STREAM, Gated, predict, service, settings, until
from tests.server.conftest import png

LONG_WORD = "a" * 1024 * 1024
WORDS = 16  # of that length: more than two sockets hold


class Wordy(Gated):
    """Writes more than two sockets hold, once, when `wordy` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.set()
        self.wordy = False

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if self.wordy:
            self.wordy = False
            yield from [LONG_WORD] * WORDS
        yield from super().explain(evidence, answer)


@dataclass(frozen=True)
class Live:
    """On a real socket, by the server that `healer serve` runs."""

    http: httpx.Client
    address: tuple[str, int]
    service: Service

    def predict(self) -> httpx.Response:
        return self.http.post("/predict", files={"image_file": png()})


@contextmanager
def live(engine: Gated, **changes: object) -> Iterator[Live]:
    chosen = settings(**changes)
    app = create_app(chosen, engine=engine)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        server = uvicorn.Server(config_of(app, chosen))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
                until(lambda: client.get("/ready").status_code == 200)
                yield Live(client, (host, port), app.state.service)
        finally:
            server.should_exit = True
            thread.join()


def request(**headers: str) -> tuple[bytes, bytes]:
    """The head and the body of a request."""
    url = "http://healer/predict"
    made = httpx.Request("POST", url, files={"image_file": png()}, headers=headers)
    body = made.read()
    lines = [f"{name}: {value}" for name, value in made.headers.items()]
    return "\r\n".join(["POST /predict HTTP/1.1", *lines, "", ""]).encode(), body


def read_response(connection: socket.socket) -> httpx.Response:
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        return httpx.Response(
            response.status, headers=response.getheaders(), content=response.read()
        )


@shows(
    Fault(
        "More requests than may wait",
        "HEALER_QUEUE images in the queue, and another comes",
        status=429,
        code="queue_full",
        retry_after="measured",
        recovery="time; those in the queue are answered",
        also="Retry-After is how long the queue takes at the rate that was measured last. "
        "HEALER_UPLOAD_BUDGET_MB is enforced in the same way (`uploads_full`).",
    )
)
def test_the_queue_is_full(shown: Shown) -> None:
    engine = Wordy()
    with service(engine, queue=1) as client, ThreadPoolExecutor(2) as pool:
        engine.gate.clear()
        waiting = [pool.submit(predict, client) for _ in range(2)]
        queue = client.app.state.service  # type: ignore[attr-defined]
        until(lambda: queue.active == 1 and queue.reserved == 1)
        shown.client(predict(client))
        shown.probes(client.get)
        engine.gate.set()
        for answer in waiting:
            shown.recovered(answer.result())


@shows(
    Fault(
        "The client goes away",
        "while its image waits",
        status=None,
        recovery="nothing needs to; its image is not scored",
        also="An explanation that was begun is stopped between two words.",
    )
)
def test_the_client_goes_away(shown: Shown) -> None:
    engine = Wordy()
    with live(engine) as server, ThreadPoolExecutor(1) as pool:
        engine.gate.clear()
        before = engine.scored
        first = pool.submit(server.predict)
        until(lambda: server.service.active == 1)
        with pytest.raises(httpx.ReadTimeout) as left:
            server.http.post("/predict", files={"image_file": png()}, timeout=0.2)
        shown.client_lost(left.value)
        shown.probes(server.http.get)
        until(lambda: server.service.reserved == 0)
        engine.gate.set()
        shown.recovered(first.result())
        shown.recovered(server.predict())
        assert engine.scored - before == 2, "the image of the client that went away is not scored"


@shows(
    Fault(
        "The client sends too much",
        "more than HEALER_MAX_BYTES",
        status=413,
        code="too_many_bytes",
        recovery="nothing needs to",
    )
)
def test_the_client_sends_too_much(shown: Shown) -> None:
    with service(Wordy(), max_bytes=1024) as client:
        sent = {"image_file": b"a" * 100_000}
        shown.client(client.post("/predict", files=sent))
        shown.probes(client.get)
        shown.recovered(predict(client))


@shows(
    Fault(
        "The client sends too slowly",
        "half a body, then nothing for HEALER_CLIENT_TIMEOUT",
        status=408,
        code="client_too_slow",
        retry_after=5,
        recovery="nothing needs to; it held no place in the queue",
    )
)
def test_the_client_sends_too_slowly(shown: Shown) -> None:
    head, body = request()
    with (
        live(Wordy(), client_timeout=0.2) as server,
        closing(socket.create_connection(server.address, timeout=60)) as connection,
    ):
        connection.sendall(head + body[: len(body) // 2])
        shown.probes(server.http.get)
        shown.client(read_response(connection))
        shown.recovered(server.predict())


@shows(
    Fault(
        "The client does not read its answer",
        "a stream of which nothing is read for HEALER_CLIENT_TIMEOUT",
        status=None,
        recovery="nothing needs to; others are answered meanwhile",
    )
)
def test_the_client_does_not_read(shown: Shown) -> None:
    engine = Wordy()
    head, body = request(**STREAM)
    with (
        live(engine, client_timeout=1) as server,
        closing(socket.create_connection(server.address, timeout=60)) as connection,
    ):
        engine.wordy = True
        connection.sendall(head + body)
        until(lambda: not engine.wordy)
        shown.recovered(server.predict())
        shown.probes(server.http.get)
        until(lambda: server.service.in_flight == 0)
        with pytest.raises(ConnectionResetError) as dropped:
            _ = [*iter(lambda: connection.recv(1 << 20), b"")]
        shown.client_lost(httpx.ReadError(str(dropped.value)))
