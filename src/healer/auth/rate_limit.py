"""Rate limits, one quota per caller."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from healer.errors.scheduling import RateLimited


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """`remaining` more within `reset` seconds, of `quota` in any `window` seconds."""

    quota: int
    window: int
    remaining: int
    reset: int


class RateLimiter:
    """Counted in this process only."""

    def __init__(self, limit: str) -> None:
        """`limit` such as 60/minute."""
        from limits import parse
        from limits.aio.storage import MemoryStorage
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        self._limit, self._item = limit, parse(limit)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, caller: str) -> RateLimitStatus:
        """Raises RateLimited."""
        allowed = await self._limiter.hit(self._item, caller)
        stats = await self._limiter.get_window_stats(self._item, caller)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        if not allowed:
            raise RateLimited(reset, self._limit.replace("/", " times a "))
        return RateLimitStatus(self._item.amount, self._item.get_expiry(), stats.remaining, reset)


def rate_limit_key(address: str) -> str:
    """The key to count an address under: one customer has 2^64 addresses of IPv6."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return address
