"""How a request ended, in words that are known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from healer.errors import HealerError
from healer.observing.trail import GONE


def outcome(status: int | None, code: str | None) -> str:
    if status is None or code == GONE:
        return "gone"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return "refused" if status >= HTTPStatus.BAD_REQUEST else "ok"


def known_codes() -> frozenset[str]:
    """Of our errors, and of those that only HTTP has."""
    routing = (status.phrase.lower().replace(" ", "_") for status in HTTPStatus)
    return frozenset(
        {GONE, "internal_error", *(kind.code for kind in _kinds(HealerError)), *routing}
    )


def _kinds(kind: type[HealerError]) -> Iterator[type[HealerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
