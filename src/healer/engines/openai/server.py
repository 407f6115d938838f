"""The server: asked with patience, never asked while it is known to be down. For any thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import httpx
import stamina
from httpx_sse import EventSource, SSEError
from pydantic import BaseModel, SecretStr, ValidationError

from healer.engines.openai import failures
from healer.engines.openai.breaker import Breaker, Resting
from healer.engines.openai.failures import Down, Failed
from healer.engines.openai.patience import Patience
from healer.engines.openai.prompt import Body
from healer.engines.openai.replies import Card, Cards, Reply
from healer.errors import (
    UpstreamError,
    UpstreamModelUnknown,
    UpstreamUnreachable,
    UpstreamUnsuited,
)

Result = TypeVar("Result")
Read = TypeVar("Read", bound=BaseModel)
CONNECTING, ASKING_HOW_IT_IS = 5.0, 3.0  # seconds
END = "[DONE]"
STREAMED = {"stream": True}


class Server:
    def __init__(self, url: str, key: SecretStr | None, patience: Patience) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self._breaker = Breaker(patience.threshold, patience.rest)
        self._http = httpx.Client(
            base_url=f"{self.url}/",
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx.Timeout(patience.timeout, connect=min(CONNECTING, patience.timeout)),
        )

    def cards(self) -> list[Card] | None:
        """The models it lists, None where it has no list. Asked once, with little patience."""
        request = self._http.build_request("GET", "models", timeout=ASKING_HOW_IT_IS)
        try:
            return self._read(Cards, self._sent(request).content).data
        except UpstreamModelUnknown:
            return None
        except Failed as failed:
            raise failed.error from None

    def ask(self, body: Body) -> Reply:
        """Raises UpstreamError."""
        response = self._patiently(lambda: self._sent(self._post(body)))
        return self._read(Reply, response.content)

    def stream(self, body: Body) -> Generator[str, None, None]:
        """Text as it is written; closing the iterator stops the server. Raises UpstreamError."""
        response = self._patiently(lambda: self._sent(self._post(body | STREAMED), stream=True))
        try:
            yield from self._pieces(response)
        except httpx.RequestError as error:
            raise failures.silent(self.url, error).error from None
        finally:
            response.close()

    def check(self) -> None:
        """Raises UpstreamUnreachable while it is left alone because it kept failing."""
        try:
            self._breaker.check()
        except Resting as resting:
            raise self._left_alone(resting) from None

    def close(self) -> None:
        self._http.close()

    def _post(self, body: Body) -> httpx.Request:
        return self._http.build_request("POST", "chat/completions", json=body)

    def _patiently(self, step: Callable[[], Result]) -> Result:
        patience = self._patience
        tries = stamina.retry_context(
            on=self._again,
            attempts=patience.attempts,
            timeout=patience.timeout,
            wait_initial=patience.wait,
            wait_jitter=patience.jitter,
        )
        try:
            for attempt in tries:
                with attempt, self._breaker.watch(Down):
                    return step()
        except Failed as failed:
            raise failed.error from None
        except Resting as resting:
            raise self._left_alone(resting) from None
        raise AssertionError("stamina tries at least once")

    def _again(self, error: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds."""
        if not isinstance(error, Failed):
            return False
        if error.wait is None:
            return True
        return error.wait if error.wait <= self._patience.timeout else False

    def _sent(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Raises Failed where it is worth asking again, UpstreamError where it is not."""
        try:
            response = self._http.send(request, stream=stream)
            if not response.is_success:
                response.read()
        except httpx.RequestError as error:
            raise failures.silent(self.url, error) from None
        failures.check(self.url, response)
        return response

    def _pieces(self, response: httpx.Response) -> Iterator[str]:
        finished = False
        for data in self._events(response):
            if data == END:
                return
            reply = self._read(Reply, data)
            if reply.error is not None:
                raise UpstreamError(self.url, "it reported an error while it wrote")
            for choice in reply.choices[:1]:
                finished = finished or choice.finish_reason is not None
                if choice.delta.content:
                    yield choice.delta.content
        if not finished:
            raise UpstreamUnreachable(self.url, "its answer broke off")

    def _events(self, response: httpx.Response) -> Iterator[str]:
        try:
            for event in EventSource(response).iter_sse():
                yield event.data.strip()
        except SSEError:
            raise UpstreamUnsuited(self.url, "it does not stream") from None

    def _read(self, kind: type[Read], data: str | bytes) -> Read:
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise UpstreamUnsuited(self.url, f"{where}: {first['msg']}") from None

    def _left_alone(self, resting: Resting) -> UpstreamUnreachable:
        again = f"it kept failing ({resting.cause}) and is {resting}"
        return UpstreamUnreachable(self.url, again)
