"""Refusals while the queue is full, on real sockets: the short way's are the long way's."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

import httpx2 as httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from healer.auth.authenticator import Authenticator
from healer.errors.scheduling import QueueFull
from healer.main import create_app
from healer.server import uvicorn_server
from healer.server.shedding import Head, Shedding
from healer.server.uvicorn_server import config_of
from healer.telemetry.metrics import Metrics
from tests.server.conftest import png
from tests.server.test_queue import Gated, settings

LINES = (b"Host: healer", b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: 4")
LONG_WAY = b"TE: trailers"
BODY = b"--b\r"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /predict HTTP/1.1", *lines, b"", b""))


@dataclass(frozen=True)
class Full:
    """A server whose queue is full. `short` counts the requests that took the short way."""

    address: tuple[str, int]
    short: list[bytes]

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with closing(socket.create_connection(self.address, timeout=20)) as connection:
            yield connection

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.address[1]}{path}")


@contextmanager
def full_server(**changes: object) -> Iterator[Full]:
    engine, chosen = Gated(), settings(queue=1, **changes)
    app = create_app(chosen, engine=engine)
    config = config_of(app, chosen)
    short = counted(config)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(2) as pool:
        full = Full(listening.getsockname(), short)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while full.get("/ready").status_code != 200:
                assert thread.is_alive()
            engine.gate.clear()
            for _ in range(2):
                pool.submit(predict, full)
            service = app.state.service
            while not (service.active == 1 and service.reserved == 1):
                time.sleep(0.005)
            yield full
        finally:
            engine.gate.set()
            server.should_exit = True
            thread.join()


def predict(full: Full) -> httpx.Response:
    url = f"http://127.0.0.1:{full.address[1]}/predict"
    return httpx.post(url, files={"image_file": png()}, timeout=60)


def counted(config: uvicorn.Config) -> list[bytes]:
    """What is refused the short way from now on."""
    refused: list[bytes] = []
    shedding = config.http.shedding  # type: ignore[union-attr]
    if shedding is not None:
        refuse = shedding.refuse

        def counting(connection: object, data: bytes) -> object:
            if found := refuse(connection, data):
                refused.append(data)
            return found

        shedding.refuse = counting
    return refused


@pytest.fixture(scope="module")
def full() -> Iterator[Full]:
    with full_server() as server:
        yield server


def response(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, object]]:
    with http.client.HTTPResponse(connection) as answer:
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, json.loads(answer.read())


def test_it_is_the_refusal_of_the_long_way(full: Full) -> None:
    with full.connected() as connection:
        answers = []
        for lines in (LINES, (*LINES, LONG_WAY)):
            before = len(full.short)
            connection.sendall(head(*lines, b"X-Request-ID: mine") + BODY)
            answers.append(response(connection))
            assert len(full.short) - before == (LONG_WAY not in lines)
    (status, headers, problem), (other_status, other_headers, other_problem) = answers
    assert status == other_status == 429
    assert problem["code"] == "queue_full"
    assert problem == other_problem
    assert headers["retry-after"] == str(problem["retry_after"])
    assert headers.pop("date")
    assert other_headers.pop("date")
    assert headers == other_headers


def test_the_body_is_dropped_as_it_comes_and_the_connection_goes_on(full: Full) -> None:
    before = len(full.short)
    length = 3_000_000
    lines = (*LINES[:2], b"Content-Length: %d" % length)
    with full.connected() as connection:
        connection.sendall(head(*lines) + b"x" * 10)
        connection.sendall(b"x" * (length - 10) + head(*LINES) + BODY[:1])
        assert response(connection)[0] == 429
        connection.sendall(BODY[1:] + b"GET /health HTTP/1.1\r\nHost: healer\r\n\r\n")
        assert response(connection)[0] == 429
        assert response(connection)[2]["ready"] is True
    assert len(full.short) == before + 2


def refusals(full: Full) -> float:
    """As /metrics counts them."""
    series = (
        'healer_requests_total{code="queue_full",outcome="refused",route="/predict",status="429"}'
    )
    values = [line for line in full.get("/metrics").text.splitlines() if series in line]
    return float(values[0].rpartition(" ")[2]) if values else 0.0


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.endswith("shedding")]


def test_each_is_counted_and_logged(full: Full, caplog: pytest.LogCaptureFixture) -> None:
    before = refusals(full)
    with ExitStack() as held:
        connections = [held.enter_context(full.connected()) for _ in range(30)]
        for connection in connections:
            connection.sendall(head(*LINES) + BODY)
        ids = {str(response(connection)[2]["request_id"]) for connection in connections}
    assert len(ids) == 30
    assert refusals(full) == before + 30
    lines = logged(caplog)
    assert len(lines) == 30
    assert all(any(each in line for line in lines) for each in ids)


@pytest.mark.parametrize("body", [BODY, BODY[:1]])
def test_one_whose_caller_is_gone_is_counted_and_logged(
    full: Full, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    before = refusals(full)
    with full.connected() as connection:
        connection.sendall(head(*LINES, b"X-Request-ID: gone") + body)
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # a reset
    until = time.monotonic() + 20
    while refusals(full) == before and time.monotonic() < until:
        time.sleep(0.01)
    assert refusals(full) == before + 1
    assert ["gone" in line for line in logged(caplog)] == [True]


def test_a_caller_that_sends_nothing_more_gets_it(full: Full) -> None:
    with full.connected() as connection:
        connection.sendall(head(*LINES) + BODY)
        connection.shutdown(socket.SHUT_WR)
        assert response(connection)[0] == 429
        assert connection.recv(1) == b""


def test_requests_sent_at_once_are_refused_one_after_another(full: Full) -> None:
    before = len(full.short)
    with full.connected() as connection:
        for name in (b"a", b"b", b"c"):
            connection.sendall(head(*LINES, b"X-Request-ID: " + name) + BODY)
        received = b""
        while received.count(b"X-Request-ID") < 3 or not received.endswith(b"}"):
            received += connection.recv(65536)
    assert re.findall(rb"X-Request-ID: (.*)\r\n", received) == [b"a", b"b", b"c"]
    assert len(full.short) == before + 3


def test_a_refused_body_that_never_ends_is_answered_and_closed() -> None:
    with full_server(client_timeout=0.3) as full, full.connected() as connection:
        connection.sendall(head(*LINES) + BODY[:1])
        assert response(connection)[0] == 429
        assert connection.recv(1) == b""


def test_an_idle_connection_is_kept_as_long_after_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uvicorn_server, "KEEP_ALIVE_SECONDS", 1.5)
    with full_server() as full, full.connected() as connection:
        for pause in (0.0, 0.7):
            time.sleep(pause)
            connection.sendall(head(*LINES) + BODY)
            assert response(connection)[0] == 429
        answered = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - answered > 1.4


@pytest.mark.parametrize(
    "line",
    [
        b"Expect: 100-continue",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Content-Length: 4",
        b"Content-Encoding: gzip",
        b" folded: value",
        b"no-colon",
        b"X-Name : value",
        b"X-Control: a\x00b",
    ],
)
def test_a_head_with_anything_unusual_takes_the_long_way(line: bytes) -> None:
    assert Head.read(head(*LINES, line)) is None


@pytest.mark.parametrize(
    "data",
    [
        head(*LINES)[:-2],
        head(*LINES).replace(b"/predict", b"/predict?a=1"),
        head(*LINES).replace(b"POST", b"GET"),
        head(*LINES).replace(b"1.1", b"1.0"),
        head(*LINES[1:]),
        head(*LINES[:2], b"Content-Length: +4"),
        head(*LINES[:2], b"Content-Length: 99999999"),
        head(*LINES, *(b"X-%d: a" % number for number in range(100))),
        head(*LINES, b"X-Long: " + b"a" * 17_000),
    ],
)
def test_what_is_no_plain_question_takes_the_long_way(data: bytes) -> None:
    assert Head.read(data) is None


def test_a_plain_head_is_read() -> None:
    data = head(*LINES, b"x-request-id: mine", b"connection: Keep-Alive")
    assert Head.read(data + BODY) == Head(len(data), 4, "mine")


def test_a_field_that_nobody_reads_here_may_come_twice() -> None:
    data = head(*LINES, b"Accept: image/png", b"Accept: */*")
    assert Head.read(data) is not None


def test_a_body_has_the_length_that_its_head_says(full: Full) -> None:
    with full.connected() as connection:
        for name in ("a", "b" * 64, ""):
            connection.sendall(head(*LINES, f"X-Request-ID: {name}".encode()) + BODY)
            _, headers, problem = response(connection)
            assert headers["x-request-id"] == problem["request_id"]
            assert not name or problem["request_id"] == name


class OnePlace:
    """A service with one place in its queue."""

    stopping, reservations = False, 0

    def full_after(self, coming: int) -> bool:
        return self.reservations + coming >= 1

    def check(self, coming: int) -> None:
        raise QueueFull(1, self.reservations + coming)


@dataclass(eq=False)
class StubConnection:
    """A connection that keeps its responses."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    server: tuple[str, int | None] | None = None
    server_state: ServerState = field(default_factory=ServerState)
    responses: list[bytes] = field(default_factory=list)

    def refuse_with(self, response: bytes) -> None:
        self.responses.append(response)


@pytest.mark.anyio
async def test_a_place_is_kept_for_a_request_that_is_on_its_way_to_it() -> None:
    service = OnePlace()
    shedding = Shedding(service, Metrics(lambda _: None), Authenticator(settings()))  # type: ignore[arg-type]
    first, second, third, whole = (
        StubConnection(),
        StubConnection(),
        StubConnection(),
        head(*LINES) + BODY,
    )
    assert shedding.refuse(first, whole[:-1]) is None  # may take its time
    assert shedding.refuse(first, whole) is None
    assert shedding.refuse(second, whole) is not None
    shedding.flush()
    assert b'"waiting":1' in second.responses[0]
    shedding.ended(first)  # with no place
    assert shedding.refuse(second, whole) is None
    assert shedding.refuse(third, whole) is not None
    service.reservations = 1
    assert shedding.refuse(third, whole) is not None


@pytest.mark.anyio
async def test_a_place_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("healer.server.shedding.LONGEST_WAY", 0.0)
    shedding = Shedding(OnePlace(), Metrics(lambda _: None), Authenticator(settings()))  # type: ignore[arg-type]
    for _ in range(3):
        assert shedding.refuse(StubConnection(), head(*LINES) + BODY) is None


def test_callers_are_known_first_where_they_must_be() -> None:
    assert not Authenticator(settings(), keyring=object()).admits_all("127.0.0.1")  # type: ignore[arg-type]
    assert not Authenticator(settings()).admits_all("192.0.2.1")
    assert Authenticator(settings(unauthenticated="anyone-may-ask")).admits_all("192.0.2.1")
    assert Authenticator(settings()).admits_all("127.0.0.1")


@pytest.mark.parametrize(
    "changes",
    [{"rate_limit": "1000/minute"}, {"trusted_hosts": "healer"}, {"cors_origins": "https://a.b"}],
)
def test_what_is_checked_first_takes_the_long_way(changes: dict[str, str]) -> None:
    chosen = settings(**changes)
    app = create_app(chosen, engine=Gated())
    assert config_of(app, chosen).http.shedding is None  # type: ignore[union-attr]
