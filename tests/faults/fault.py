"""What goes wrong, and how it must appear: each row of docs/reliability.md, beside its test.

A test is declared with `@shows(Fault(...))` and is given `shown`, which holds what was answered
against that row. It fails where it has not checked every column, so that no row stands untested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import httpx2 as httpx

Test = TypeVar("Test", bound=Callable[..., object])
COLUMNS = frozenset({"client", "ready", "health", "recovery"})


@dataclass(frozen=True, slots=True)
class Fault:
    """`status` None: the connection ends without an answer. `retry_after` in seconds, "measured"
    where it depends on how fast the model is. `not_ready` and `health` are words of the reason,
    None where there is none; `dead` says that /health is a 503, None that nobody answers it."""

    name: str
    how: str
    status: int | None
    recovery: str
    code: str | None = None
    retry_after: int | Literal["measured"] | None = None
    not_ready: str | None = None
    health: str | None = None
    dead: bool = False
    gone: bool = False
    also: str = ""


FAULTS: dict[tuple[str, str], Fault] = {}  # by module and name of the test


def shows(fault: Fault) -> Callable[[Test], Test]:
    def declare(test: Test) -> Test:
        FAULTS[test.__module__, test.__name__] = fault
        return test

    return declare


@dataclass(slots=True)
class Shown:
    fault: Fault
    checked: set[str] = field(default_factory=set)

    def client(self, answer: httpx.Response) -> None:
        """The response to a request made meanwhile."""
        body = answer.json()
        assert (answer.status_code, body.get("code")) == (self.fault.status, self.fault.code), body
        self._later(answer.headers.get("retry-after"))
        self.checked.add("client")

    def client_lost(self, error: httpx.TransportError) -> None:
        assert self.fault.status is None, error
        self.checked.add("client")

    def _later(self, response: str | None) -> None:
        if self.fault.retry_after == "measured":
            assert int(response or 0) >= 1
        else:
            expected = self.fault.retry_after
            assert response == (None if expected is None else str(expected))

    def probes(self, get: Callable[[str], httpx.Response]) -> None:
        """What /ready and /health say meanwhile; `get` is of a path."""
        assert not self.fault.gone
        self._ready(get("/ready"))
        self._health(get("/health"))

    def nobody_answers(self, get: Callable[[str], httpx.Response]) -> None:
        """Of a process that has ended."""
        try:
            response = get("/health")
        except httpx.TransportError:
            assert self.fault.gone
            self.checked |= {"ready", "health"}
        else:
            raise AssertionError(response.text)

    def _ready(self, response: httpx.Response) -> None:
        words = self.fault.not_ready
        assert response.status_code == (200 if words is None else 503), response.text
        assert (words or "") in response.json().get("detail", ""), response.text
        self.checked.add("ready")

    def _health(self, response: httpx.Response) -> None:
        assert response.status_code == (503 if self.fault.dead else 200)
        body: dict[str, Any] = response.json()
        reasons = [body["reason"] or "", body["engine_reason"], *body["warnings"]]
        if self.fault.health is None:
            assert body["reason"] is None, body
        else:
            assert self.fault.health in " ".join(reasons), reasons
        self.checked.add("health")

    def recovered(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert answer.json()["verdict"] in ("yes", "no", "indeterminate")
        self.checked.add("recovery")
