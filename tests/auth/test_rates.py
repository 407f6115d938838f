from __future__ import annotations

import pytest

from healer.auth.rate_limit import RateLimiter, rate_limit_key
from healer.errors import RateLimited

pytestmark = pytest.mark.anyio


async def test_so_many_and_no_more_each() -> None:
    rates = RateLimiter("3/day")
    for remaining in (2, 1, 0):
        allowance = await rates.count("lis")
        assert (allowance.quota, allowance.window) == (3, 86_400)
        assert allowance.remaining == remaining
        assert 1 <= allowance.reset <= 86_400
    with pytest.raises(RateLimited, match="3 times a day") as refused:
        await rates.count("lis")
    assert 1 <= refused.value.retry_after <= 86_400
    assert (await rates.count("archive")).remaining == 2


async def test_a_network_of_ipv6_counts_as_one() -> None:
    assert rate_limit_key("2001:db8::1") == rate_limit_key("2001:db8::ffff:1") == "2001:db8::/64"
    assert rate_limit_key("2001:db8:0:1::1") != rate_limit_key("2001:db8::1")
    assert rate_limit_key("192.0.2.1") != rate_limit_key("192.0.2.2")
    assert rate_limit_key("fe80::1%eth0") == "fe80::/64"
    assert rate_limit_key("testclient") == "testclient"
