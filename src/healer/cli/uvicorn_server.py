"""uvicorn that finishes the answers in progress before it stops, and ends when the model hangs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from healer.server.connection import BURST, connections_allowed, limited_connection
from healer.server.middleware.limits import LIMIT_BYTES
from healer.server.service import Service
from healer.settings.loading import Settings

GRACE_SECONDS = 30  # for answers in progress
LINGER_SECONDS = 0.5  # for requests that were on their way when the last of those was sent
KEEP_ALIVE_SECONDS = 65  # longer than nginx keeps its own, so that it never uses a closing one
CLOSING_SECONDS = 5  # for connections, after that
NOTIFY_SECONDS = 5.0  # for clients that wait to be notified that the model hangs
HUNG = 70  # EX_SOFTWARE: what a platform's restart policy sees


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


class DrainingServer(uvicorn.Server):
    """On SIGTERM it goes on listening, and refusing, until the requests in flight are answered."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def main_loop(self) -> None:
        watching = asyncio.create_task(self._end_if_hung())
        await super().main_loop()
        watching.cancel()

    async def _end_if_hung(self) -> None:
        while not self._service.hung:  # noqa: ASYNC110 - the queue knows no server to notify
            await asyncio.sleep(0.5)
        write_to_stderr(
            "The model answers no more. Healer ends, so that whatever runs it can restart it.\n"
        )
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTIFY_SECONDS):
                await self._drained()
        await asyncio.sleep(LINGER_SECONDS)
        os._exit(HUNG)  # a thread that hangs would hold any other way out

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._drained()
        self._service.abandon_jobs()
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)
        if self._service.stuck:
            os._exit(0)  # process 1 of a container would wait for it, whatever the signal

    async def _drained(self) -> None:
        # A signal handler sets force_exit, so there is no event to wait for.
        while self._service.in_flight and not self.force_exit:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def write_to_stderr(text: str) -> None:
    with suppress(OSError):  # a disk that is full must not keep us from serving, nor from ending
        sys.stderr.write(text)
        sys.stderr.flush()
