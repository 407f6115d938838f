"""Requests to the server: timeouts, retries and the circuit breaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import httpx
import stamina
from httpx_sse import EventSource, SSEError
from pydantic import BaseModel, SecretStr, ValidationError

from healer.engines.openai.errors import (
    Down,
    Failed,
    check_body,
    check_response,
    key_of,
    no_response,
    words_in,
)
from healer.engines.openai.prompt import Body
from healer.engines.openai.replies import Card, Cards, Reply
from healer.errors.engine import UpstreamModelUnknown, UpstreamUnreachable, UpstreamUnsuited


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times in seconds. `timeout` is the longest silence, and how long anything is tried again;
    after `threshold` failures in a row the server has `rest`."""

    timeout: float = 60.0
    attempts: int = 4
    wait: float = 0.2
    jitter: float = 0.5
    threshold: int = 5
    rest: float = 15.0


class CircuitOpen(Exception):
    """Nobody is let through for `seconds`, because of `cause`."""

    def __init__(self, seconds: float, cause: str) -> None:
        super().__init__(f"tried again in {seconds:.0f} s")
        self.seconds, self.cause = seconds, cause


class CircuitBreaker:
    """After `threshold` failures in a row nobody is let through for `rest` seconds, then one; its
    success lets everyone through again, its failure begins another rest. For any thread."""

    def __init__(self, threshold: int, rest: float) -> None:
        self._threshold, self._rest = threshold, rest
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._trying = False
        self._cause = ""

    @contextmanager
    def watch(self, failure: type[Exception]) -> Iterator[None]:
        """Only `failure` counts as one. Raises CircuitOpen instead of letting anyone in."""
        self._enter()
        try:
            yield
        except failure as error:
            self._failed(str(error))
            raise
        except BaseException:
            self._leave()
            raise
        self._succeeded()

    def check(self) -> None:
        """Raises CircuitOpen while nobody would be let through."""
        with self._lock:
            left = self._until - time.monotonic()
            if self._failures >= self._threshold and left > 0:
                raise CircuitOpen(left, self._cause)

    def _enter(self) -> None:
        self.check()
        with self._lock:
            if self._failures < self._threshold:
                return
            if self._trying:
                raise CircuitOpen(self._rest, self._cause)
            self._trying = True

    def _leave(self) -> None:
        with self._lock:
            self._trying = False

    def _succeeded(self) -> None:
        with self._lock:
            self._failures, self._trying = 0, False

    def _failed(self, cause: str) -> None:
        with self._lock:
            self._failures, self._trying, self._cause = self._failures + 1, False, cause
            self._until = time.monotonic() + self._rest


Result = TypeVar("Result")
Read = TypeVar("Read", bound=BaseModel)
CONNECT_SECONDS, STATUS_SECONDS = 5.0, 3.0  # seconds
END = "[DONE]"
STREAMED = {"stream": True}
EVENTS = "text/event-stream"


class Client:
    def __init__(self, url: str, key: SecretStr | None, retries: RetryPolicy) -> None:
        self.url = url.rstrip("/")
        self._retries = retries
        self._breaker = CircuitBreaker(retries.threshold, retries.rest)
        self._http = httpx.Client(
            base_url=f"{self.url}/",
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx.Timeout(retries.timeout, connect=min(CONNECT_SECONDS, retries.timeout)),
        )

    def cards(self) -> list[Card] | None:
        """The models it lists, None where it has no list. Requested once, with few retries."""
        request = self._http.build_request("GET", "models", timeout=STATUS_SECONDS)
        try:
            response = self._sent(request)
        except UpstreamModelUnknown:
            return None
        except Failed as failed:
            raise failed.error from None
        try:
            check_body(self.url, response, response.content)
        except Failed as failed:
            raise failed.error from None
        return self._read(Cards, response).data

    def ask(self, body: Body) -> Reply:
        """Raises UpstreamError."""
        return self._with_retries(lambda: self._answer(body))

    def probe(self, body: Body) -> Reply:
        """As `ask`, where a server may not support the request: UpstreamUnsuited is raised
        for a 500 too, which some send then, if it comes twice."""
        words = ""
        for _ in range(2):
            try:
                return self._answer(body)
            except Failed as failed:
                if failed.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    return self.ask(body)
                words = failed.error.reason
        raise UpstreamUnsuited(self.url, words)

    def _answer(self, body: Body) -> Reply:
        response = self._sent(self._post(body))
        check_body(self.url, response, response.content)
        return self._read(Reply, response)

    def stream(self, body: Body) -> Generator[str, None, None]:
        """Text as it is written; closing the iterator stops the server. Raises UpstreamError."""
        response = self._with_retries(lambda: self._sent(self._post(body | STREAMED), stream=True))
        try:
            yield from self._pieces(response)
        except httpx.RequestError as error:
            raise no_response(self.url, error).error from None
        finally:
            response.close()

    def check(self) -> None:
        """Raises UpstreamUnreachable while the circuit is open."""
        try:
            self._breaker.check()
        except CircuitOpen as open_circuit:
            raise self._circuit_open_error(open_circuit) from None

    def close(self) -> None:
        self._http.close()

    def _post(self, body: Body) -> httpx.Request:
        return self._http.build_request("POST", "chat/completions", json=body)

    def _with_retries(self, step: Callable[[], Result]) -> Result:
        retries = self._retries
        tries = stamina.retry_context(
            on=self._again,
            attempts=retries.attempts,
            timeout=retries.timeout,
            wait_initial=retries.wait,
            wait_jitter=retries.jitter,
        )
        try:
            for attempt in tries:
                with attempt, self._breaker.watch(Down):
                    return step()
        except Failed as failed:
            raise failed.error from None
        except CircuitOpen as open_circuit:
            raise self._circuit_open_error(open_circuit) from None
        raise AssertionError("stamina tries at least once")

    def _again(self, error: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds."""
        if not isinstance(error, Failed):
            return False
        if error.wait is None:
            return True
        return error.wait if error.wait <= self._retries.timeout else False

    def _sent(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Raises Failed where it is worth another request, UpstreamError where it is not."""
        try:
            response = self._http.send(request, stream=stream)
            if not response.is_success:
                response.read()
        except httpx.RequestError as error:
            raise no_response(self.url, error) from None
        check_response(self.url, response)
        return response

    def _pieces(self, response: httpx.Response) -> Iterator[str]:
        if not response.headers.get("content-type", "").startswith(EVENTS):
            yield self._unstreamed(response)
            return
        finished = False
        for data in self._events(response):
            if data == END:
                return
            self._check_piece(response, data)
            reply = self._read(Reply, response, data)
            for choice in reply.choices[:1]:
                finished = finished or choice.finish_reason is not None
                if choice.delta.content:
                    yield choice.delta.content
        if not finished:
            raise UpstreamUnreachable(self.url, "its answer broke off")

    def _unstreamed(self, response: httpx.Response) -> str:
        """What a server that does not stream says all at once."""
        response.read()
        self._check_piece(response, response.content)
        reply = self._read(Reply, response)
        if not reply.choices:
            raise UpstreamUnsuited(self.url, "it does not stream, and says nothing")
        return reply.text

    def _check_piece(self, response: httpx.Response, data: bytes | str) -> None:
        try:
            check_body(self.url, response, data)
        except Failed as failed:
            raise failed.error from None

    def _events(self, response: httpx.Response) -> Iterator[str]:
        try:
            for event in EventSource(response).iter_sse():
                if data := event.data.strip():
                    yield data
        except SSEError:
            raise UpstreamUnsuited(self.url, "it does not stream") from None

    def _read(
        self, kind: type[Read], response: httpx.Response, data: bytes | str | None = None
    ) -> Read:
        """The whole body, or `data` of it."""
        body = response.content if data is None else data
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raw = body.encode() if isinstance(body, str) else body
            said = words_in(raw, key_of(response.request)) or "nothing"
            why = f"{where}: {first['msg']} (it says: {said})"
            raise UpstreamUnsuited(self.url, why) from None

    def _circuit_open_error(self, open_circuit: CircuitOpen) -> UpstreamUnreachable:
        again = f"it kept failing ({open_circuit.cause}) and is {open_circuit}"
        return UpstreamUnreachable(self.url, again)
