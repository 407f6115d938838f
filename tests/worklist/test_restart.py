"""A real server that is killed in the middle of a slide, and another that goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx

from healer.slides.reader import Area
from tests.slides.glass import Patch, glass_with, write_svs

Json = dict[str, Any]


@contextmanager
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {
        "HEALER_SLIDES": str(tmp_path / "slides"),
        "HEALER_RESULTS": str(tmp_path / "results"),
        "HEALER_ENGINE": "builtin",
        "HEALER_BATCH": "4",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "healer", "serve"]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=log, stderr=log, cwd=tmp_path
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: httpx.get(f"{url}/ready").status_code == 200)
        yield url, process
    finally:
        process.kill()
        process.wait()


def until(condition: Any) -> None:  # noqa: ANN401 - anything that can be called
    for _ in range(1200):
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come to be")


def slide_at(url: str) -> Json:
    slide: Json = httpx.get(f"{url}/slides").json()["slides"][0]
    return slide


def test_a_killed_server_goes_on_with_the_slide_that_it_was_reading(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    picture = glass_with((6500, 6500), [Patch("normal", Area(450, 450, 5600, 5600))])
    write_svs(tmp_path / "slides/large-CANARY.svs", picture)
    with served(tmp_path) as (url, process):
        slide = slide_at(url)
        assert httpx.post(f"{url}/slides/{slide['id']}/reading").status_code == 202
        until(lambda: (slide_at(url)["progress"] or {"done": 0})["done"] >= 80)
        assert slide_at(url)["state"] == "reading"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with served(tmp_path) as (url, _):
        until(lambda: (slide_at(url)["progress"] or {"done": 0})["done"] > 0)
        assert slide_at(url)["progress"]["kept"] >= 64
        until(lambda: slide_at(url)["state"] == "read")
        metrics = httpx.get(f"{url}/metrics").text
    assert "CANARY" not in metrics
    assert "CANARY" not in (tmp_path / "log").read_text(encoding="utf-8")
    for stored in (tmp_path / "results").rglob("*.json"):
        assert "CANARY" not in stored.read_text(encoding="utf-8")
