"""What names a patient goes in everywhere and comes out nowhere, from the real program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from healer.auth.keys import add_key
from tests.cli.test_serve import command, wait_for_url, wait_until_ready
from tests.server.canaries import CANARY, HEADERS, MAKERS, CanaryRequest, everything, forms_of

NOTE = "Kw4Reviewer"  # a reviewer's words, which are for the audit log and for nothing else
QUIET = ("/health", "/ready", "/openapi.json", "/metrics", "/")


class World:
    """A service with everything on, and everything received from it."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder, self.url = folder, url
        self._key = ("Authorization", f"Bearer {key}")
        self._client = httpx.Client(timeout=60)
        self.received: dict[str, bytes] = {}

    def send(self, case: CanaryRequest) -> httpx.Response:
        headers = [*HEADERS, *case.headers, *([self._key] if case.known else [])]
        answer = self._client.request(
            case.method, f"{self.url}{case.path}", headers=headers, content=case.body
        )
        head = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
        self.received[f"answer {len(self.received)} to {case}"] = head + b"\n\n" + answer.content
        return answer

    def send_raw(self, data: bytes) -> None:
        address = urlsplit(self.url)
        with closing(socket.create_connection((address.hostname, address.port))) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        self.received[f"answer {len(self.received)} to raw bytes"] = answer

    def close(self) -> None:
        self._client.close()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Started and stopped: its last output is searched too."""
    keys_file, log = folder.parent / "keys.json", folder / "log"
    environment = {
        **os.environ,
        "HEALER_LOG_LEVEL": "debug",
        "HEALER_AUDIT": f"sqlite:///{folder / 'audit.db'}",
        "HEALER_API_KEYS_FILE": str(keys_file),
        "HEALER_ENGINE": "builtin",
    }
    key = add_key(keys_file, "laboratory", None)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command("serve", "--port", "0"), env=environment, stdout=out, stderr=out
        ) as server,
    ):
        try:
            url = wait_for_url(server, log)
            wait_until_ready(server, url)
            found = World(folder, url, key)
            yield found
            found.close()
        finally:
            server.send_signal(signal.SIGTERM)


def places_of(word: str, received: dict[str, bytes]) -> list[str]:
    forms = list(forms_of(word))
    return [
        f"{place}: ...{said[max(0, at - 60) : at + 60]!r}..."
        for place, said in received.items()
        for form in forms
        if (at := said.lower().find(form)) >= 0
    ]


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> World:
    """All was sent, and the service has ended."""
    folder = tmp_path_factory.mktemp("privacy") / "kept"
    folder.mkdir()
    with world(folder) as found:
        for case in everything():
            answer = found.send(case)
            assert answer.status_code == case.status, (case, answer.text)
        review(found)
        found.send_raw(f"GET /{CANARY} HTTP/9.9\r\n{CANARY}\r\n\r\n".encode())
        found.send_raw(f"{CANARY} {CANARY}\r\n\r\n".encode())
        for path in QUIET:
            found.send(CanaryRequest(200, "GET", path))
    return found


def review(found: World) -> None:
    """Of the first answer in the log."""
    first = next(said for said in found.received.values() if b'"verdict"' in said)
    request_id = json.loads(first.split(b"\n\n", 1)[1])["request_id"]
    body = json.dumps({"request_id": request_id, "agrees": True, "note": NOTE}).encode()
    json_type = ("Content-Type", "application/json")
    answer = found.send(CanaryRequest(201, path="/reviews", headers=(json_type,), body=body))
    assert answer.status_code == 201


def test_no_canary_is_in_any_answer(after: World) -> None:
    assert len(after.received) > 50
    assert places_of(CANARY, after.received) == []


def test_no_canary_is_in_the_log_or_the_audit_log(after: World) -> None:
    files = after.files()
    assert {"log", "audit.db"} <= files.keys()
    assert b'"event": "request"' in files["log"]
    assert b'"kind":"answer"' in files["audit.db"].replace(b'": "', b'":"')
    assert places_of(CANARY, files) == []


def test_a_reviewers_words_are_in_the_audit_log_alone(after: World) -> None:
    files = after.files()
    assert NOTE.encode() in files.pop("audit.db")
    assert places_of(NOTE, files) == []
    assert places_of(NOTE, after.received) == []


def test_nothing_failed_in_a_way_that_was_not_foreseen(after: World) -> None:
    assert b"Traceback" not in after.files()["log"]


DECODING = """
import sys
from healer.telemetry import logs
from healer.settings.loading import Settings
from healer.images.decode import decode
logs.configure(Settings(log_level="debug"))
decode(sys.stdin.buffer.read(), max_pixels=10**6)
"""


@pytest.mark.parametrize("form", ["png", "tiff"])  # of which Pillow writes every tag down
def test_a_decoder_is_silent_in_whatever_process_it_works(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DECODING], input=MAKERS[form](), capture_output=True, check=True
    )
    assert places_of(CANARY, {"stdout": done.stdout, "stderr": done.stderr}) == []


@pytest.mark.parametrize("form", MAKERS)
def test_the_pictures_do_carry_it(form: str) -> None:
    assert places_of(CANARY, {form: MAKERS[form]()})
