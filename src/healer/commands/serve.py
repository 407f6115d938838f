"""`healer serve`: one process, one port, and a word on what to try."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from sse_starlette.sse import AppStatus

from healer.config import Settings
from healer.errors import InvalidSettings
from healer.main import create_app
from healer.serving.service import Service

GRACE_SECONDS = 30  # for answers that were begun
LINGER_SECONDS = 0.5  # for requests that were on their way when the last of those was sent
CLOSING_SECONDS = 5  # for connections, after that
TOLD_SECONDS = 5.0  # for those who wait to hear that the model hangs
HUNG = 70  # EX_SOFTWARE: what a platform's restart policy sees


def serve(settings: Settings) -> None:
    run(create_app(settings), settings)


def run(app: FastAPI, settings: Settings) -> None:
    """Until SIGINT or SIGTERM."""
    listening = bind(settings)
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=CLOSING_SECONDS
    )
    AppStatus.enable_automatic_graceful_drain = False  # it would cut answers off in mid-stream
    sys.stderr.write(what_to_try(settings.host, port))
    Server(config, app.state.service).run(sockets=[listening])


class Server(uvicorn.Server):
    """Asked to stop, it goes on listening, and refusing, until what is in flight was answered."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def main_loop(self) -> None:
        watching = asyncio.create_task(self._end_if_hung())
        await super().main_loop()
        watching.cancel()

    async def _end_if_hung(self) -> None:
        while not self._service.hung:  # noqa: ASYNC110 - the queue knows no server to tell
            await asyncio.sleep(0.5)
        sys.stderr.write("The model hangs. Healer ends, so that whatever runs it can restart it.\n")
        self._service.retire()
        with suppress(TimeoutError):
            async with asyncio.timeout(TOLD_SECONDS):
                await self._answered()
        sys.stderr.flush()
        os._exit(HUNG)  # a thread that hangs would hold any other way out

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.retire()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._answered()
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)

    async def _answered(self) -> None:
        # A signal handler sets force_exit, so there is no event to wait for.
        while self._service.in_flight and not self.force_exit:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        reason = f"or HEALER_HOST cannot be used: {where} cannot be served on ({error.strerror})"
        raise InvalidSettings("PORT", reason) from None
    return listening


def what_to_try(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    return (
        f"\nHealer is starting on {url}\n"
        f"  open {url} in a browser, or\n"
        f"  curl -F image_file=@tile.png {url}/predict\n"
        f"  curl {url}/health\n\n"
    )
