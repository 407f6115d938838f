from __future__ import annotations

import pytest

from healer.display import distinct_percents, percent, rough_percent


def test_a_share_is_shown_in_whole_percents() -> None:
    assert percent(0.363) == "36 %"
    assert percent(0.28, 1) == "28.0 %"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "under 1 %"), (0.999, "over 99 %"), (0.005, "under 1 %"), (0.011, "1 %"), (0.5, "50 %")],
)
def test_nothing_and_all_are_not_claimed(share: float, shown: str) -> None:
    assert rough_percent(share) == shown


def test_different_shares_look_different() -> None:
    assert distinct_percents(0.278, 0.36, 0.556) == ["28 %", "36 %", "56 %"]
    assert distinct_percents(0.278, 0.2796, 0.556) == ["27.8 %", "28.0 %", "55.6 %"]
    assert distinct_percents(0.3, 0.3, 0.7) == ["30 %", "30 %", "70 %"]
