"""Caddy in front, as deploy/tls/Caddyfile sets it up: TLS, and limits on clients. Needs `caddy`."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.conftest import REPO
from tests.server.conftest import png
from tests.server.test_connection import serving

CADDYFILE = REPO / "deploy" / "tls" / "Caddyfile"
CADDY = shutil.which("caddy")
CLIENT_SECONDS = 1

pytestmark = pytest.mark.skipif(CADDY is None, reason="caddy is not installed")


@dataclass(frozen=True)
class Edge:
    port: int
    trust: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("localhost", self.port), timeout=20)
        return self.trust.wrap_socket(plain, server_hostname="localhost")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    home = tmp_path_factory.mktemp("caddy")
    port, plain_port = free_port(), free_port()
    with serving(CLIENT_SECONDS) as (host, healer_port):
        environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "HEALER_SITE": "localhost",
            "HEALER_HTTPS_PORT": str(port),
            "HEALER_HTTP_PORT": str(plain_port),
            "HEALER_UPSTREAM": f"{host}:{healer_port}",
            "HEALER_CLIENT_TIMEOUT": str(CLIENT_SECONDS),
            "HEALER_BODY_TIMEOUT": "3s",
        }
        command = [str(CADDY), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            root = home / "caddy" / "pki" / "authorities" / "local" / "root.crt"
            yield Edge(port, trust_in(root, port, process, home / "log"))
        finally:
            process.terminate()
            process.wait(30)


def trust_in(root: Path, port: int, process: subprocess.Popen[bytes], log: Path) -> ssl.SSLContext:
    """Once its own authority has signed a certificate for localhost."""
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.05)
        if not root.is_file():
            continue
        trust = ssl.create_default_context(cafile=str(root))
        try:
            httpx.get(f"https://localhost:{port}/health", verify=trust)
        except httpx.TransportError:
            continue
        return trust


def test_a_picture_is_answered_over_tls(edge: Edge) -> None:
    with httpx.Client(base_url=edge.url, verify=edge.trust, timeout=60) as client:
        answer = client.post("/predict", files={"image_file": png()})
    assert (answer.status_code, answer.json()["verdict"]) == (200, "yes")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_answer_in_events_comes_through_as_it_is_written(edge: Edge) -> None:
    accept = {"Accept": "text/event-stream"}
    with httpx.Client(base_url=edge.url, verify=edge.trust, timeout=60) as client:
        text = client.post("/predict", files={"image_file": png()}, headers=accept).text
    events = [line for line in text.splitlines() if line.startswith("event: ")]
    assert events[-1] == "event: answer"
    assert "event: verdict" in events


def test_a_head_that_never_ends_is_closed(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert b" 200 " not in connection.recv(65536)


def test_a_body_that_never_ends_is_closed(edge: Edge) -> None:
    """Caddy passes Healer's 408 on only once the body has ended, so it needs a limit of its own."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    with edge.connect() as connection:
        connection.sendall(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b")
        assert b" 200 " not in connection.recv(65536)


def test_a_body_beyond_the_limit_is_refused_by_healer(edge: Edge) -> None:
    with httpx.Client(base_url=edge.url, verify=edge.trust, timeout=60) as client:
        answer = client.post("/predict", files={"image_file": bytes(22 * 1024 * 1024)})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_bytes")
