"""Slow, endless and broken clients, on real sockets against the server that `healer serve` runs."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx2 as httpx
import pytest
import uvicorn
from starlette.responses import Response

from healer.main import create_app
from healer.server.middleware.limits import LIMIT_BYTES
from healer.server.uvicorn_server import config_of
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png

SHORT_TIMEOUT = 0.3  # seconds, for clients that must time out
LONG_TIMEOUT = 1.5  # for clients that must not
LARGE = 32 * 1024 * 1024  # more than two sockets hold
Address = tuple[str, int]


@contextmanager
def serving(client_timeout: float, limit: int = 100) -> Iterator[Address]:
    settings = Settings(
        _env_file=None, gate="off", client_timeout=client_timeout, connections=limit
    )
    app = create_app(settings, engine=FakeEngine())
    app.add_api_route("/large", lambda: Response(bytes(LARGE)))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(config_of(app, settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = listening.getsockname()
        try:
            while httpx.get(f"http://127.0.0.1:{address[1]}/ready").status_code != 200:
                assert thread.is_alive()
            yield address
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with serving(SHORT_TIMEOUT) as address:
        yield address


@pytest.fixture(scope="module")
def lenient() -> Iterator[Address]:
    with serving(LONG_TIMEOUT) as address:
        yield address


@contextmanager
def connected(address: Address) -> Iterator[socket.socket]:
    with closing(socket.create_connection(address, timeout=20)) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """What still comes until the other side closes; a timeout here fails the test."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass  # it closed while we were sending
    return received


def problem_in(answer: bytes, status: int) -> dict[str, object]:
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    lines = head.decode().lower().split("\r\n")
    assert "content-type: application/problem+json" in lines
    assert "connection: close" in lines
    assert "x-content-type-options: nosniff" in lines
    problem: dict[str, object] = json.loads(body)
    assert f"x-request-id: {problem['request_id']}" in lines
    return problem


def drip(connection: socket.socket, piece: bytes) -> None:
    """Now and then, until the other side closes."""
    try:
        while True:
            connection.sendall(piece)
            time.sleep(SHORT_TIMEOUT / 10)
    except OSError:
        return


HEAD = b"GET /health HTTP/1.1\r\nHost: healer\r\n"


def test_a_head_that_never_ends_times_out(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"X-Slow: ")
        assert problem_in(rest(connection), 408)["code"] == "client_too_slow"


def test_a_head_that_drips_times_out(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"X-Slow: ")
        dripping = threading.Thread(target=drip, args=(connection, b"a"))
        dripping.start()
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if received.endswith(b"}"):
                break
        assert problem_in(received, 408)["code"] == "client_too_slow"
        dripping.join()


def test_a_silent_connection_is_closed(address: Address) -> None:
    with connected(address) as connection:
        assert rest(connection) == b""


def test_a_second_head_that_never_ends_times_out(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEAD)
        assert b"HTTP/1.1 408 " in rest(connection)


def test_an_idle_connection_between_requests_stays_open(lenient: Address) -> None:
    with connected(lenient) as connection:
        for pause in (LONG_TIMEOUT * 1.1, 0):
            connection.sendall(HEAD + b"\r\n")
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            assert answer.read()
            time.sleep(pause)


def form(padding: int = 0) -> tuple[bytes, bytes]:
    picture = png() + b"\0" * padding  # behind its end
    request = httpx.Request("POST", "http://healer/predict", files={"image_file": picture})
    body = request.read()
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(["POST /predict HTTP/1.1", *lines, "", ""]).encode(), body


def test_a_body_that_never_ends_times_out(address: Address) -> None:
    head, body = form()
    with connected(address) as connection:
        connection.sendall(head + body[:100])
        assert problem_in(rest(connection), 408)["code"] == "client_too_slow"


def test_a_body_that_drips_times_out(address: Address) -> None:
    head, body = form()
    with connected(address) as connection:
        larger = head.replace(f"length: {len(body)}".encode(), b"length: 1000000")
        connection.sendall(larger + body[:200])  # into the file
        dripping = threading.Thread(target=drip, args=(connection, b"a"))
        dripping.start()
        assert problem_in(rest(connection), 408)["code"] == "client_too_slow"
        dripping.join()


def test_a_long_body_that_keeps_coming_is_answered(lenient: Address) -> None:
    head, body = form(padding=40_000)
    pieces = [body[start : start + 4096] for start in range(0, len(body), 4096)]
    with connected(lenient) as connection:
        connection.sendall(head)
        for piece in pieces:  # for twice as long as it may be silent
            connection.sendall(piece)
            time.sleep(LONG_TIMEOUT / 5)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_refused_body_that_never_ends_times_out(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD.replace(b"GET", b"POST") + b"Content-Length: 1000000\r\n\r\n")
        dripping = threading.Thread(target=drip, args=(connection, b"a"))
        dripping.start()
        assert rest(connection).startswith(b"HTTP/1.1 405 ")
        dripping.join()


def test_a_client_that_does_not_read_is_dropped() -> None:
    with serving(SHORT_TIMEOUT) as address, connected(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: healer\r\n\r\n")
        with connected(address) as other:  # is answered meanwhile
            other.sendall(HEAD + b"\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
        wait_until_dropped(connection)
        assert len(rest(connection)) < LARGE


def wait_until_dropped(connection: socket.socket) -> None:
    """The other side's reset arrives although nothing was read."""
    while not connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        time.sleep(0.01)


def test_a_slow_reader_gets_the_whole_answer(lenient: Address) -> None:
    with connected(lenient) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: healer\r\nConnection: close\r\n\r\n")
        received = 0
        while chunk := connection.recv(4 * 1024 * 1024):
            received += len(chunk)
            time.sleep(LONG_TIMEOUT / 10)
    assert received > LARGE


def test_an_endless_head_is_refused_before_it_ends(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"X-Long: " + b"a" * (LIMIT_BYTES + 1))
        assert problem_in(rest(connection), 431)["code"] == "head_too_large"


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"nonsense\r\n\r\n"]
)
def test_what_is_no_http_is_refused(address: Address, sent: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(sent)
        assert problem_in(rest(connection), 400)["code"] == "http_unreadable"


def test_a_body_that_breaks_off_its_form_is_refused(address: Address) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: healer\r\nTransfer-Encoding: chunked\r\n"
    with connected(address) as connection:
        connection.sendall(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\nzz\r\n")
        assert problem_in(rest(connection), 400)["code"] == "http_unreadable"


def test_a_web_socket_is_no_way_in(address: Address) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with connected(address) as connection:
        connection.sendall(b"GET /predict HTTP/1.1\r\nHost: healer\r\n" + upgrade)
        assert connection.recv(65536).startswith(b"HTTP/1.1 405 ")


def test_the_server_does_not_say_what_it_is(address: Address) -> None:
    assert "server" not in httpx.get(f"http://127.0.0.1:{address[1]}/health").headers


@pytest.fixture(scope="module")
def narrow() -> Iterator[Address]:
    with serving(30, limit=3) as address:
        yield address


def send_half_a_request(connection: socket.socket) -> None:
    """A request is under way as soon as its head has come."""
    head = b"POST /predict HTTP/1.1\r\nHost: healer\r\nContent-Length: 100\r\n"
    connection.sendall(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b")
    time.sleep(0.2)


def test_the_longest_idle_connection_is_closed_at_the_limit(narrow: Address) -> None:
    with ExitStack() as held:
        first, second, third, fourth = (held.enter_context(connected(narrow)) for _ in range(4))
        assert rest(first) == b""
        for connection in (second, third, fourth):
            connection.sendall(HEAD + b"\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_with_a_request_under_way_is_never_closed_at_the_limit(
    narrow: Address,
) -> None:
    with ExitStack() as held:
        busy = [held.enter_context(connected(narrow)) for _ in range(2)]
        for connection in busy:
            send_half_a_request(connection)
        idle, fourth = (held.enter_context(connected(narrow)) for _ in range(2))
        assert rest(idle) == b""
        send_half_a_request(fourth)
        answer = rest(held.enter_context(connected(narrow)))
        problem = problem_in(answer, 429)
        assert problem["code"] == "connections_full"
        assert b"retry-after: 5\r\n" in answer.lower()
        for connection in (*busy, fourth):
            connection.sendall(b"x" * 97)  # and is answered: it is no form that can be read
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
