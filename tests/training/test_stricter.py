"""The rules stricter than the cuts that ship."""

from __future__ import annotations

import numpy as np
import pytest

from healer.screening.calibration import Calibration
from healer.screening.opening import SHIPPED
from training import card, stricter


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return Calibration.model_validate_json(SHIPPED.read_bytes())


@pytest.fixture(scope="module")
def found(fitted: Calibration) -> stricter.Answers:
    return stricter.answers(fitted)


def test_the_card_shows_what_stricter_rules_cost() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    shown = card.rendered(text, stricter.table(), stricter.BEGIN, stricter.END)
    assert shown == text, "run: python -m training card"


@pytest.mark.parametrize("rule", [stricter.HIGHER_CUT, stricter.TISSUE_LIMIT])
def test_where_it_was_fitted_a_rule_keeps_its_promise(
    found: stricter.Answers, fitted: Calibration, rule: str
) -> None:
    _, shipped = stricter.called_yes(found, found.away, stricter.AS_SHIPPED, fitted)
    _, yes = stricter.called_yes(found, found.away, rule, fitted)
    assert np.mean(shipped[found.glandless]) > stricter.MOST
    assert np.mean(yes[found.glandless]) <= stricter.MOST
    assert not np.any(yes & ~shipped)
    assert np.mean(yes[found.cancer]) > 0.6
