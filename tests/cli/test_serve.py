from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from healer.cli.serve import bind
from healer.settings.loading import Settings
from tests.server.conftest import png


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "healer", *arguments]


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), check=False, capture_output=True, text=True)


def test_it_serves_says_what_to_try_and_stops_on_request(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(command("serve", "--port", "0"), stderr=log) as server,
    ):
        try:
            url = wait_for_url(server, tmp_path / "log")
            wait_until_ready(server, url)
            form = {"gate": "off"}
            answer = httpx.post(f"{url}/predict", files={"image_file": png()}, data=form)
            assert answer.json()["model"]["engine"] == "builtin"
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode in (0, -signal.SIGTERM)
    output = (tmp_path / "log").read_text(encoding="utf-8")
    assert "curl -F image_file=@" in output
    assert "Traceback" not in output


def wait_for_url(server: subprocess.Popen[bytes], log: Path) -> str:
    while server.poll() is None:
        if found := re.search(r"http://[\d.]+:\d+", log.read_text(encoding="utf-8")):
            return found.group()
    raise AssertionError(log.read_text(encoding="utf-8"))


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    while server.poll() is None:
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        except httpx.ConnectError:
            continue
    raise AssertionError("the server stopped before it was ready")


def test_answers_leave_at_once_however_small_their_pieces() -> None:
    async def accepted() -> bool:
        held: list[asyncio.StreamWriter] = []
        with bind(Settings(_env_file=None, port=0)) as listening:
            server = await asyncio.start_server(
                lambda _, writer: held.append(writer), sock=listening
            )
            _, mine = await asyncio.open_connection(*listening.getsockname()[:2])
            while not held:
                await asyncio.sleep(0.01)
            option = socket.IPPROTO_TCP, socket.TCP_NODELAY
            at_once = held[0].get_extra_info("socket").getsockopt(*option)
            mine.close()
            held[0].close()
            server.close()
            return bool(at_once)

    assert asyncio.run(accepted())


def test_a_port_in_use_is_reported_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = started("serve", "--port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be served on" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_stops_the_start_with_its_sentence() -> None:
    for arguments in (command("serve"), [sys.executable, "-m", "uvicorn", "healer.main:app"]):
        done = subprocess.run(
            arguments,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "HEALER_ENGINE": "oracle"},
        )
        assert done.returncode != 0
        assert "HEALER_ENGINE cannot be used" in done.stderr
        assert "Traceback" not in done.stderr
