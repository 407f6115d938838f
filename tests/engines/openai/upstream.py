"""An OpenAI-compatible server of our own: real HTTP, scores from pixels, failures on demand.

Pink tiles are cancer, as for the fake engine. What a real server makes of the same requests is in
test_llama_cpp.py.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
import re
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "sk-very-secret"
MODEL = "medgemma"
REASON = " the glands are crowded and the nuclei are large."
DENIAL = "No, there is nothing of the kind here."
Listed = list[tuple[str, float]]
Fault = Callable[[], Response]


def answered(status: int, headers: dict[str, str] | None = None, words: str = "sorry") -> Fault:
    return lambda: JSONResponse({"error": {"message": words}}, status, headers)


def late(seconds: float) -> Fault:
    def wait() -> Response:
        time.sleep(seconds)
        return JSONResponse({}, 500)

    return wait


def replied(body: object) -> Fault:
    """200 with whatever; written by Python's own json, which writes NaN."""
    return lambda: Response(json.dumps(body), media_type="application/json")


def pinkness(url: str) -> Listed:
    """Tokens and probabilities for a picture in a data URL."""
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    red, green, _ = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    yes = 0.9 / (1 + math.exp(-float(red - green) / 16))
    spread = [("Yes", yes), ("No", 0.9 - yes), (" yes", yes / 100), ("The", 0.05), ("It", 0.02)]
    return sorted(spread, key=lambda each: -each[1])


def openai_list(cards: object) -> object:
    return {"object": "list", "data": cards}


THOUGHT = "The user asks whether cancer is present."


@dataclass
class Upstream:
    """Started as a context; what it does may be changed while it runs."""

    port: int = 0
    continues: bool = True
    obeys_grammar: bool = False
    words: str = ""  # what it writes where nothing forces it; empty: the requested beginning
    listed: Callable[[str], Listed] = pinkness
    most_listed: int = 20
    too_many: int = 400  # the status for more than that
    listing: Callable[[Any], object] = openai_list  # the body of /models, of `cards`
    thinks: str = ""  # how the thoughts begin that it writes before every answer
    thinks_apart: bool = False  # in a field of their own, as with a reasoning parser
    stopped_by: frozenset[str] = frozenset()  # what keeps it from it: a field, or "opening"
    fingerprint: str | None = "build-1"
    cards: list[dict[str, object]] | None = field(
        default_factory=lambda: [{"id": MODEL, "owned_by": "us", "created": 1}]
    )
    cut_after: int | None = None  # pieces of a stream
    endless: bool = False
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self.port))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        routes = [
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    async def _models(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        if self.cards is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        return JSONResponse(self.listing(self.cards))

    async def _chat(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        body = await request.json()
        self.requests.append(body)
        if self.faults:
            return await asyncio.to_thread(self.faults.popleft())
        if body.get("top_logprobs", 0) > self.most_listed:
            words = f"at most {self.most_listed}"
            return JSONResponse({"error": {"message": words}}, self.too_many)
        if body.get("stream"):
            return StreamingResponse(self._stream(body), media_type="text/event-stream")
        return JSONResponse(self._whole(body))

    def _whole(self, body: dict[str, Any]) -> dict[str, object]:
        url = body["messages"][0]["content"][0]["image_url"]["url"]
        thinking = self._is_thinking(body)
        listed = (
            [(self.thinks.split("\n")[0], 0.98), ("Yes", 0.01)] if thinking else self.listed(url)
        )
        top = [{"token": token, "logprob": math.log(p)} for token, p in listed]
        if thinking and self.thinks_apart:
            top = []
        content = [{"token": top[0]["token"], "logprob": 0, "top_logprobs": top}] if top else None
        choice = {
            "message": {"role": "assistant", **self._output(body)},
            "logprobs": {"content": content} if body.get("logprobs") else None,
            "finish_reason": "stop",
        }
        usage = {"prompt_tokens": self._prompt_tokens(body)}
        return {"choices": [choice], "usage": usage, "system_fingerprint": self.fingerprint}

    def _is_thinking(self, body: dict[str, Any]) -> bool:
        if not self.thinks:
            return False
        fields = {*body, *body.get("chat_template_kwargs", {})}
        if body["messages"][-1]["role"] == "assistant" and self.continues:
            fields.add("opening")
        return not self.stopped_by & fields

    def _output(self, body: dict[str, Any]) -> dict[str, object]:
        if self._is_thinking(body) and self.thinks_apart:
            return {"content": None, "reasoning_content": THOUGHT}
        return {"content": self._text(body)}

    def _prompt_tokens(self, body: dict[str, Any]) -> int:
        *_, last = body["messages"]
        if last["role"] == "user":
            return 40
        return 40 + len(last["content"].split()) + (0 if self.continues else 5)

    def _text(self, body: dict[str, Any]) -> str:
        *_, last = body["messages"]
        if self._is_thinking(body):
            return f"{self.thinks}{THOUGHT}"
        if last["role"] == "assistant" and self.continues:
            return REASON
        if "grammar" in body and self.obeys_grammar:
            forced_start = str(json.loads(re.findall(r'".*"', body["grammar"])[0]))
            return forced_start + ("" if body["grammar"].endswith('"') else REASON)
        instructed_start = re.search(r'beginning with "(.*)"', str(last["content"]))
        return self.words or (instructed_start[1] + REASON if instructed_start else DENIAL)

    async def _stream(self, body: dict[str, Any]) -> AsyncIterator[str]:
        pieces = re.findall(r"\s*\S+", self._text(body))
        try:
            for number, piece in enumerate(pieces):
                if number == self.cut_after:
                    raise ConnectionAbortedError
                yield event({"delta": {"content": piece}, "finish_reason": None})
            while self.endless:
                yield event({"delta": {"content": " and"}, "finish_reason": None})
                await asyncio.sleep(0.01)
            yield event({"delta": {}, "finish_reason": "stop"})
            yield "data: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise


def event(choice: object) -> str:
    return f"data: {json.dumps({'choices': [choice]})}\n\n"
