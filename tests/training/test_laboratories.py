"""The card's tables of other laboratories and ablations are those of the committed answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from training import ablations, card, kather, laboratories, shipped


def test_the_card_shows_the_committed_answers() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    for table, begin, end in (
        (laboratories.tables(), laboratories.BEGIN, laboratories.END),
        (laboratories.shares_table(), laboratories.BY_SHARE, laboratories.BY_SHARE_END),
    ):
        assert card.rendered(text, table, begin, end) == text, "run: python -m training card"


def test_the_card_shows_the_ablations() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    for table, begin, end in (
        (ablations.table(), ablations.BEGIN, ablations.END),
        (ablations.versions(), ablations.VERSIONS, ablations.VERSIONS_END),
    ):
        assert card.rendered(text, table, begin, end) == text, "run: python -m training ablations"


def test_counts_follow_from_the_answers_and_the_calibration(tmp_path: Path) -> None:
    laboratories.write(out=tmp_path / "counts.json")
    counts = json.loads((tmp_path / "counts.json").read_text(encoding="utf-8"))
    assert counts == json.loads(laboratories.RESULTS.read_text(encoding="utf-8"))
    assert sum(sum(each["as_it_is"]) for each in counts.values()) == 157


def test_tissue_is_seldom_called_cancer_and_tumour_mostly_is() -> None:
    counts = json.loads(laboratories.RESULTS.read_text(encoding="utf-8"))
    tissue = np.sum([counts[name]["as_it_is"] for name in kather.TISSUES], axis=0)
    assert tissue[2] / tissue.sum() < 0.025
    assert counts["tumor"]["as_it_is"][2] / 23 > 0.9


def test_a_random_laboratory_is_the_same_every_time() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one, again, other = (shipped.laboratory(number)(tile) for number in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == tile.shape
