from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import httpx2 as httpx
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(gate="off"), engine=FakeEngine())) as client:
        wait_until_ready(client)
        yield client


def wait_until_ready(client: TestClient) -> None:
    for _ in range(2000):
        if client.get("/ready").status_code == 200:
            return
    raise AssertionError(client.get("/health").json())


def png(colour: str = "pink", size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def live(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket, by a real uvicorn; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        while httpx.get(f"{url}/ready").status_code != 200:
            assert thread.is_alive()
        yield url
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live(create_app(Settings(_env_file=None, gate="off"), engine=FakeEngine())) as url:
        yield url
