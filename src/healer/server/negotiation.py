"""Which form of an answer a client prefers, as RFC 9110 (12.5.1) reads `Accept`."""

from __future__ import annotations

from collections.abc import Iterable

import mimeparse
from starlette.requests import Request

JSON = "application/json"
NAMED = 100  # mimeparse's fitness of a range that names the type, not only */*

MediaRange = tuple[str, str, dict[str, str]]


def prefers(request: Request, offered: str, default: str = JSON) -> bool:
    """Whether `offered` is to be sent in place of `default`. Where both are as welcome, it is if it
    was asked for by name; where neither is, `default` is sent all the same."""
    ranges = list(_ranges(request.headers.getlist("accept")))
    quality, fitness = mimeparse.quality_and_fitness_parsed(offered, ranges)
    other_quality, other_fitness = mimeparse.quality_and_fitness_parsed(default, ranges)
    if quality != other_quality:
        return bool(quality > other_quality)
    return bool(quality > 0 and fitness > NAMED and fitness >= other_fitness)


def _ranges(headers: Iterable[str]) -> Iterable[MediaRange]:
    """Those that can be read."""
    for header in headers:
        for part in header.lower().split(","):
            try:
                yield mimeparse.parse_media_range(part)
            except mimeparse.MimeTypeParseException:
                continue
