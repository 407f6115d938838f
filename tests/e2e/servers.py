"""Servers for the page to speak to: the real process, and one that answers as a test decides."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from healer import NOTICE
from healer.engines.base import Answer, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.server.documentation import EXAMPLE
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine

ANSWER: dict[str, Any] = {**EXAMPLE, "gate": None, "notice": NOTICE}

Refusal = tuple[int, dict[str, str], dict[str, Any]]  # status, headers, body
Events = list[tuple[str, Any] | None]


WHOLE: Events = [("verdict", ANSWER), ("answer", ANSWER)]


class Serving:
    """`healer serve` with the built-in model, in a process of its own."""

    def __init__(self, log: Path, **settings: str) -> None:
        self.log = log
        self.environment = {**os.environ, **settings}
        self.port = 0
        self.start()

    def start(self) -> None:
        arguments = ("serve", "--engine", "builtin", "--port", str(self.port))
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "healer", *arguments], stderr=log, env=self.environment
            )
        while self.process.poll() is None:
            if found := re.search(
                r"http://127\.0\.0\.1:(\d+)", self.log.read_text(encoding="utf-8")
            ):
                self.port = int(found[1])
                if self.accepts():
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def accepts(self) -> bool:
        """It names its address in the log a moment before it listens there."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class SlowEngine(FakeEngine):
    """Scores and explains only when allowed to. The first score is the self-test."""

    def __init__(self) -> None:
        self.scored = 0
        self.scoring = threading.Event()
        self.may_score = threading.Event()
        self.may_speak = threading.Event()

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.scored += 1
        if self.scored > 1:
            self.scoring.set()
            assert self.may_score.wait(60)
        return super().score(tiles)

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        first, *others = super().explain(evidence, answer)
        yield first
        if self.scored > 1:
            assert self.may_speak.wait(60)
        yield from others


@dataclass
class StandIn:
    """Answers `/predict` with what lies in `replies`, in order, and the example once they are out.

    A reply is a refusal, or the events of a stream; None among them waits for `go_on`.
    """

    replies: list[Refusal | Events] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    request_count: int = 0

    async def predict(self, request: Request) -> Response:
        await request.body()
        self.request_count += 1
        reply = self.replies.pop(0) if self.replies else list(WHOLE)
        if isinstance(reply, tuple):
            status, headers, body = reply
            return JSONResponse(body, status, headers=headers)
        return EventSourceResponse(self._events(reply))

    async def _events(self, reply: Events) -> AsyncIterator[dict[str, str]]:
        for event in reply:
            while event is None and not self.go_on.is_set():
                await anyio.sleep(0.02)
            if event is not None:
                yield {"event": event[0], "data": json.dumps(event[1])}

    def app(self) -> Starlette:
        real = create_app(Settings(_env_file=None), engine=FakeEngine())
        routes = [Route("/predict", self.predict, methods=["POST"]), Mount("/", real)]

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with real.router.lifespan_context(real):
                yield

        return Starlette(routes=routes, lifespan=lifespan)


@contextmanager
def live(app: Any) -> Iterator[str]:  # noqa: ANN401 - any ASGI application
    """An application behind a real socket; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        listening.close()
