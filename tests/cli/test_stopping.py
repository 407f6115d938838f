"""What a service that is stopped still answers: on real processes and sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx

from tests.cli.test_serve import command, wait_for_url, wait_until_ready
from tests.conftest import REPO
from tests.server.conftest import png

FORM = {"gate": "off"}


@contextmanager
def serving(tmp_path: Path, arguments: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    log = tmp_path / "log"
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    with log.open("w") as target, subprocess.Popen(arguments, stderr=target, env=env) as server:
        try:
            url = wait_for_url(server, log)
            wait_until_ready(server, url)
            yield server, url
        finally:
            server.kill()
    assert "Traceback" not in log.read_text(encoding="utf-8")


def wait_until(condition: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert server.poll() is None


def is_leaving(url: str) -> bool:
    return httpx.get(f"{url}/ready").status_code == 503


def refusal_of(url: str) -> httpx.Response:
    return httpx.post(f"{url}/predict", files={"image_file": png()}, data=FORM)


def check_refusal(refused: httpx.Response) -> None:
    assert refused.status_code == 503
    assert refused.json()["code"] == "shutting_down"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "5"
    assert refused.headers["connection"] == "close"


def test_a_request_that_was_being_sent_is_answered_and_new_ones_refused(tmp_path: Path) -> None:
    with serving(tmp_path, command("serve", "--port", "0", "--engine", "builtin")) as (server, url):
        request = httpx.Request("POST", f"{url}/predict", files={"image_file": png()}, data=FORM)
        body = request.read()
        address = urlsplit(url)
        with closing(socket.create_connection((address.hostname, address.port))) as connection:
            head = [f"{name}: {value}" for name, value in request.headers.items()]
            start = "\r\n".join(["POST /predict HTTP/1.1", *head, "", ""])
            connection.sendall(start.encode() + body[:100])
            assert httpx.get(f"{url}/health").status_code == 200  # the first was read before this
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: is_leaving(url), server)
            check_refusal(refusal_of(url))
            assert httpx.get(f"{url}/health").json()["reason"] == "Healer is shutting down"
            connection.sendall(body[100:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["model"]["engine"] == "builtin"
        assert server.wait(30) in (0, -signal.SIGTERM)


def test_an_explanation_that_was_being_streamed_is_streamed_to_its_end(tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    arguments = [sys.executable, "-m", "tests.cli.slow_server", str(go_on)]
    with serving(tmp_path, arguments) as (server, url):
        expected = {"Accept": "text/event-stream"}
        files = {"image_file": png()}
        with httpx.stream("POST", f"{url}/predict", files=files, headers=expected) as streamed:
            lines = streamed.iter_lines()
            assert any(line == "event: explanation" for line in lines)
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: is_leaving(url), server)
            check_refusal(refusal_of(url))
            time.sleep(1)  # the time in which a server that cuts streams off would have
            go_on.touch()
            assert any(line == "event: answer" for line in lines)
        assert server.wait(30) in (0, -signal.SIGTERM)
