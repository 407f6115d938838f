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

from healer.auth.authenticator import check_reach
from healer.errors import InvalidSettings
from healer.main import create_app
from healer.server.connection import BURST, connections_allowed, limited_connection
from healer.server.middleware.request_head import LIMIT_BYTES
from healer.server.service import Service
from healer.settings.loading import Settings

GRACE_SECONDS = 30  # for answers that were begun
LINGER_SECONDS = 0.5  # for requests that were on their way when the last of those was sent
KEEP_ALIVE_SECONDS = 65  # longer than nginx keeps its own, so that it never uses a closing one
CLOSING_SECONDS = 5  # for connections, after that
TOLD_SECONDS = 5.0  # for those who wait to hear that the model hangs
HUNG = 70  # EX_SOFTWARE: what a platform's restart policy sees


def serve(settings: Settings) -> None:
    check_reach(settings)
    run(create_app(settings), settings)


def run(app: FastAPI, settings: Settings) -> None:
    """Until SIGINT or SIGTERM."""
    listening = bind(settings)
    port = listening.getsockname()[1]
    AppStatus.enable_automatic_graceful_drain = False  # it would cut answers off in mid-stream
    say(what_to_try(settings.host, port))
    Server(config_of(app, settings), app.state.service).run(sockets=[listening])


def config_of(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=limited_connection(settings.client_timeout, connections_allowed(settings.connections)),
        backlog=BURST,
        ws="none",
        h11_max_incomplete_event_size=LIMIT_BYTES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )


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
        say("The model answers no more. Healer ends, so that whatever runs it can restart it.\n")
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(TOLD_SECONDS):
                await self._answered()
        await asyncio.sleep(LINGER_SECONDS)
        os._exit(HUNG)  # a thread that hangs would hold any other way out

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._answered()
        self._service.abandon_jobs()
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)
        if self._service.stuck:
            os._exit(0)  # process 1 of a container would wait for it, whatever the signal

    async def _answered(self) -> None:
        # A signal handler sets force_exit, so there is no event to wait for.
        while self._service.in_flight and not self.force_exit:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named, or asyncio would leave Nagle's algorithm on, and each answer 40 ms on its way.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        reason = f"or HEALER_HOST cannot be used: {where} cannot be served on ({error.strerror})"
        raise InvalidSettings("PORT", reason) from None
    return listening


def say(words: str) -> None:
    with suppress(OSError):  # a disk that is full must not keep us from serving, nor from ending
        sys.stderr.write(words)
        sys.stderr.flush()


def what_to_try(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    return (
        f"\nHealer is starting on {url}\n"
        f"  open {url} in a browser, or\n"
        f"  curl -F image_file=@tile.png {url}/predict\n"
        f"  curl {url}/health\n\n"
    )
