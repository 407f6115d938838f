"""Shares as a person reads them."""

from __future__ import annotations


def percent(share: float, places: int = 0) -> str:
    """A share of 0.363 as "36 %"."""
    return f"{share * 100:.{places}f} %"


def rough_percent(share: float) -> str:
    """As `percent`, where neither nothing nor all may be claimed."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else percent(share)


def told_apart(*shares: float) -> list[str]:
    """In as few digits as keep different neighbours different."""
    for places in range(4):
        shown = [percent(share, places) for share in shares]
        pairs = zip(shares, shares[1:], shown, shown[1:], strict=False)
        if all(one == other or told != next_ for one, other, told, next_ in pairs):
            break
    return shown
