"""Clients that go on sending while the service is stopped; each must get an answer."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from socket import create_connection

import httpx2 as httpx

CLIENTS = 6
WARM = 12  # answers before the service is stopped
HOST = "127.0.0.1"
TIMEOUT = 120  # seconds for an answer: others may have the cores


class Upload:
    """One picture as a form, and what came of sending it again and again."""

    def __init__(self, port: int, picture: bytes, gate: str) -> None:
        self.port, self.tally = port, Counter[str]()
        request = httpx.Request(
            "POST",
            f"http://{HOST}:{port}/predict",
            files={"image_file": ("tile.png", picture)},
            data={"gate": gate},
        )
        self.headers, self.body = dict(request.headers), request.read()
        self._lock = threading.Lock()

    def send(self) -> str:
        """answered, refused (503 while stopping), unreached (nothing listens), or lost."""
        connection = HTTPConnection(HOST, self.port, timeout=TIMEOUT)
        with closing(connection):
            try:
                connection.connect()
            except ConnectionRefusedError:
                return "unreached"
            try:
                connection.request("POST", "/predict", self.body, self.headers)
                response = connection.getresponse()
                return judged(response.status, json.loads(response.read()))
            except (OSError, HTTPException, ValueError):
                return "lost"

    def keep_sending(self) -> None:
        """Until something other than an answer comes."""
        while True:
            outcome = self.send()
            with self._lock:
                self.tally[outcome] += 1
            if outcome != "answered":
                return

    @contextmanager
    def begun(self) -> Iterator[Callable[[], bytes]]:
        """Half of it sent; call what is given to send the rest and read the whole response."""
        with closing(create_connection((HOST, self.port), timeout=TIMEOUT)) as connection:
            half = len(self.body) // 2
            head = [f"{name}: {value}" for name, value in self.headers.items()]
            start = "\r\n".join(["POST /predict HTTP/1.1", *head, "", ""]).encode()
            connection.sendall(start + self.body[:half])

            def finish() -> bytes:
                connection.sendall(self.body[half:])
                return b"".join(iter(lambda: connection.recv(65536), b""))

            yield finish


def judged(status: int, body: dict[str, object]) -> str:
    if status == 200 and "verdict" in body:
        return "answered"
    return "refused" if (status, body.get("code")) == (503, "shutting_down") else "lost"


def stop_under_load(upload: Upload, terminate: Callable[[], None]) -> Counter[str]:
    """Counts by outcome of every request that was sent before, during and after `terminate`."""
    base = f"http://{HOST}:{upload.port}"
    with ThreadPoolExecutor(CLIENTS) as clients, upload.begun() as finish:
        working = [clients.submit(upload.keep_sending) for _ in range(CLIENTS)]
        while upload.tally["answered"] < WARM and not all(each.done() for each in working):
            threading.Event().wait(0.01)
        terminate()
        while httpx.get(f"{base}/ready", timeout=TIMEOUT).status_code == 200:
            pass
        late = upload.send()
        slow = finish()
    upload.tally["answered" if slow.startswith(b"HTTP/1.1 200") else "lost"] += 1
    upload.tally[late] += 1
    return upload.tally
