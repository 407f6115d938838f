"""The arithmetic of benchmarks/costs.py, and that the documents say what it says."""

from __future__ import annotations

import io
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from benchmarks.costs import DAYS, MONTH, PRICES, Rates, main
from tests.conftest import REPO


@pytest.fixture
def rates() -> Rates:
    return Rates(
        cpu_busy=4.0,
        cpu_idle=1.0,
        l4=10.0,
        request=0.5,
        build_minute=1.0,
        stored_gb_month=1.0,
        read="then",
    )


def test_rates_are_what_the_instance_holds() -> None:
    rates = Rates.of(tomllib.loads(PRICES.read_text(encoding="utf-8")))
    assert rates.cpu_busy == pytest.approx(4 * 0.000024 + 8 * 0.0000025)
    assert rates.l4 == pytest.approx(4 * 0.000018 + 16 * 0.000002 + 0.0001867)
    assert rates.request == pytest.approx(4e-7)


def test_an_instance_that_waits_costs_its_idle_rate(rates: Rates) -> None:
    assert rates.cpu_month(0, 7.0) == MONTH
    assert rates.cpu_month(0, 7.0, warm=0) == 0
    assert rates.l4_month(0, 1.0) == 10 * MONTH


def test_work_costs_the_busy_rate_and_is_not_idle(rates: Rates) -> None:
    tiles, seconds = 1000, 7.0
    assert rates.cpu_month(tiles, seconds) == pytest.approx(MONTH + 7000 * (4 - 1) + 500)


def test_more_work_than_one_instance_can_do_takes_more(rates: Rates) -> None:
    tiles = 3 * MONTH / 7.0
    assert rates.cpu_month(tiles, 7.0) == pytest.approx(12 * MONTH + tiles * 0.5)
    assert rates.l4_month(tiles, 7.0) == pytest.approx(30 * MONTH)


def test_from_where_the_l4_wins_both_cost_the_same(rates: Rates) -> None:
    tiles = rates.l4_wins_from(7.0) * DAYS
    assert rates.cpu_month(tiles, 7.0) == pytest.approx(rates.l4_month(0, 1.0))
    assert rates.cpu_month(tiles * 1.01, 7.0) > rates.l4_month(0, 1.0)


def said(*arguments: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        main(arguments)
    return out.getvalue()


def test_the_document_holds_what_the_command_prints() -> None:
    document = (REPO / "docs" / "deploy.md").read_text(encoding="utf-8")
    shown = document.split("<!-- costs -->\n")[1].split("<!-- /costs -->")[0]
    assert shown == said(), "run `make generate`"


def test_other_seconds_and_prices(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        PRICES.read_text(encoding="utf-8").replace("gpu_second = 0.0001867", "gpu_second = 0")
    )
    completed = said("--prices", str(prices), "--cpu-seconds", "12.5", "--l4-seconds", "0.7")
    assert "| CPU | 12.5 | 1.450 |" in completed
    assert "| L4, kept or answering | 0.374 |" in completed
