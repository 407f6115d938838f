from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from healer.questions.colorectal import HIGH_GRADE_SHARE
from training import metrics
from training.data import LABELS, OUTPUTS

COUNT = 120
LABEL = np.arange(COUNT) % len(LABELS)
CASE = np.array([f"case {at // 4}" for at in range(COUNT)])


def scores(signal: float) -> metrics.Scores:
    logits = np.random.default_rng(0).normal(size=(COUNT, OUTPUTS))
    logits[np.arange(COUNT), LABEL] += signal
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def test_the_margin_is_the_log_odds() -> None:
    each = scores(1.0)
    shares = np.exp(each[:, 2])
    assert np.allclose(metrics.margin(each, 2), np.log(shares / (1 - shares)), atol=1e-3)
    cancer = np.exp(each[:, 0]) + HIGH_GRADE_SHARE * np.exp(each[:, 1])
    assert np.allclose(metrics.margin(each, 0), np.log(cancer / (1 - cancer)), atol=1e-3)


def test_perfect_scores_measure_one_and_noise_a_half() -> None:
    perfect = metrics.measure(scores(30.0), LABEL, CASE)[metrics.VERSUS_ALL]
    noise = metrics.measure(scores(0.0), LABEL, CASE)[metrics.VERSUS_ALL]
    assert perfect["auroc"] == perfect["low"] == 1.0
    assert noise["low"] < 0.5 < noise["high"]


def test_against_benign_leaves_other_classes_out() -> None:
    row = metrics.measure(scores(1.0), LABEL, CASE)[metrics.VERSUS_BENIGN]
    assert row["tiles"] == COUNT // 2
    assert row["positive"] == COUNT // 6


def test_copies_of_a_tile_within_its_case_do_not_narrow_the_interval() -> None:
    truth, score = LABEL == 0, metrics.margin(scores(1.0), 0)
    low, high = metrics.interval(truth, score, CASE)
    six = metrics.interval(*(np.concatenate([each] * 6) for each in (truth, score, CASE)))
    assert np.allclose(six, (low, high), atol=1e-6)


def test_cut_at_even_odds_and_at_a_specificity() -> None:
    cut = metrics.at_threshold(scores(30.0), LABEL)
    assert set(cut.values()) == {1.0}


def test_weighted_areas_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, score = LABEL == 0, np.round(metrics.margin(scores(1.0), 0), 1)
    weights = rng.integers(0, 4, (5, COUNT))
    theirs = [roc_auc_score(truth, score, sample_weight=each) for each in weights]
    assert np.allclose(metrics.weighted_areas(truth, score, weights), theirs)
