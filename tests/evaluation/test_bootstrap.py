from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from healer.evaluation.metrics import intervals, resampled

CASES = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40)


@given(CASES)
def test_cases_come_whole_or_not_at_all(cases: list[str]) -> None:
    sizes = Counter(cases)
    for rows in resampled(cases, 5):
        times = Counter(rows.tolist())
        for case in sizes:
            assert len({times[at] for at, each in enumerate(cases) if each == case}) == 1
        whole = Counter(cases[row] for row in rows)
        assert sum(whole[case] / sizes[case] for case in whole) == len(sizes)


def test_every_case_is_drawn_about_once() -> None:
    cases = [f"{at}" for at in range(50) for _ in range(at % 4 + 1)]
    times = Counter(cases[row] for rows in resampled(cases, 400) for row in rows)
    for case, size in Counter(cases).items():
        assert times[case] / size / 400 == pytest.approx(1, abs=0.25)


def test_draws_are_the_same_every_time_and_another_with_another_seed() -> None:
    cases = list("aabbccdd")
    first = [rows.tolist() for rows in resampled(cases, 5)]
    assert first == [rows.tolist() for rows in resampled(cases, 5)]
    assert first != [rows.tolist() for rows in resampled(cases, 5, seed=1)]


def test_tiles_that_share_a_case_make_the_interval_wider() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=30), 20)

    def mean(rows: NDArray[np.int64]) -> dict[str, float]:
        return {"mean": float(values[rows].mean())}

    low, high = intervals(mean, [f"{at // 20}" for at in range(600)], 400)["mean"]
    alone = intervals(mean, [f"{at}" for at in range(600)], 400)["mean"]
    assert high - low > 3 * (alone[1] - alone[0])
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 30**0.5, rel=0.2)


def test_a_value_that_is_seldom_defined_has_no_interval() -> None:
    def sometimes(rows: NDArray[np.int64]) -> dict[str, float]:
        return {"value": 1.0 if rows[0] == 0 else float("nan")}

    assert intervals(sometimes, list("abcdefgh"), 100) == {}
