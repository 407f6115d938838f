"""How good the answers to slides of known answer are, and a calibration fitted on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healer.engines.base import Answer
from healer.errors.evaluation import NotCalibratable, ResultsMismatch
from healer.evaluation.calibrate import LEAST_OF_EACH, Fit, Points, operating_points, platt
from healer.evaluation.fetch import FOLDER
from healer.evaluation.metrics import RESAMPLES, Figure, Rows, Scored, by_case, intervals, measure
from healer.evaluation.published import LabelMapping
from healer.evaluation.published_slides import PublishedSlides
from healer.slides.answer import ANSWER
from healer.slides.labelled import labelled_slides
from healer.slides.score import (
    FittedOnSlides,
    SlideCalibration,
    calibrated_part,
    log_odds,
)

Json = dict[str, Any]


@dataclass(frozen=True)
class AnsweredSlides:
    """`scored` has each answered slide's score as its margin, in log-odds; `read_shares` how much
    of its tissue was read; `unanswered` are names of listed slides without an answer; `left_out`
    counts slides by label that take no part."""

    name: str
    scored: Scored
    read_shares: NDArray[np.float64]
    binding: dict[str, str]
    unanswered: tuple[str, ...]
    has_cases: bool
    known: PublishedSlides | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


def answered_slides(
    source: Path, answers: Path, mapping: LabelMapping, folder: Path = FOLDER
) -> AnsweredSlides:
    """Slides with labels, as `healer slide --out` answered them; published sets lie in `folder`.
    Raises DatasetError and SlideError."""
    labelled = labelled_slides(source, folder, mapping)
    known, meanings = labelled.slides, labelled.meanings
    documents = {each.name: _document(answers / each.name / ANSWER) for each in known}
    rows = [(each, document) for each in known if (document := documents[each.name])]
    if not rows:
        reason = "it holds no answer to any listed slide; run healer slide on the list first"
        raise ResultsMismatch(str(answers), reason)
    scored = Scored(
        truth=np.array([bool(meanings[str(each.label)]) for each, _ in rows]),
        margins=np.array([log_odds(document["scores"]["score"]) for _, document in rows]),
        probabilities=np.array([document["probability"] or 0.0 for _, document in rows]),
        answers=np.array([document["verdict"] for _, document in rows], np.str_),
        labels=np.array([str(each.label) for each, _ in rows], np.str_),
        cases=np.array([each.case or str(each.path) for each, _ in rows], np.str_),
    )
    return AnsweredSlides(
        name=labelled.name,
        scored=scored,
        read_shares=np.array([document["coverage"]["read_share"] for _, document in rows]),
        binding=_one_binding(answers, [document["run"] for _, document in rows]),
        unanswered=tuple(each.name for each in known if documents[each.name] is None),
        has_cases=all(each.case for each, _ in rows),
        known=labelled.known,
        left_out=labelled.left_out,
    )


def _document(place: Path) -> Json | None:
    try:
        document: Json = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document


def _one_binding(answers: Path, runs: list[Mapping[str, str]]) -> dict[str, str]:
    first, *others = map(calibrated_part, runs)
    for other in others:
        if differing := [name for name in first if other.get(name) != first[name]]:
            reason = f"its slides were read with another {' and '.join(differing)}"
            raise ResultsMismatch(str(answers), reason)
    return first


@dataclass(frozen=True, slots=True)
class SlideFigures:
    """`figures` of the score as metrics of tiles are, `answered_no` and `answered_yes` the shares
    of all slides, `missed` the share of slides with cancer that were answered no."""

    figures: dict[str, Figure]
    answered_no: Figure
    answered_yes: Figure
    missed: Figure


def measure_slides(slides: AnsweredSlides, resamples: int = RESAMPLES) -> SlideFigures:
    scored = slides.scored
    no, yes = scored.answers == Answer.NO, scored.answers == Answer.YES

    def shares(rows: Rows) -> dict[str, float]:
        truth = scored.truth[rows]
        return {
            "no": float(no[rows].mean()),
            "yes": float(yes[rows].mean()),
            "missed": float(no[rows][truth].mean()) if truth.any() else float("nan"),
        }

    every = np.arange(len(scored))
    spans = intervals(shares, scored.cases.tolist(), resamples)
    values = {
        name: Figure(value, *spans.get(name, (None, None)))
        if np.isfinite(value)
        else Figure(None, reason="no slide holds cancer")
        for name, value in shares(every).items()
    }
    return SlideFigures(measure(scored, resamples), values["no"], values["yes"], values["missed"])


@dataclass(frozen=True, slots=True)
class FittedSlides:
    """`rule_out` is the share of all slides at or below the lower threshold, its interval from
    resampled cases, each with a threshold of its own."""

    calibration: SlideCalibration
    rule_out: Figure


def fit_slides(
    slides: AnsweredSlides, sensitivity: float, resamples: int = RESAMPLES
) -> FittedSlides:
    """Raises NotCalibratable where slides or cases are too few, or the score does not rank."""
    scored = slides.scored
    for side, name in ((True, "yes"), (False, "no")):
        if (count := int((scored.truth == side).sum())) < LEAST_OF_EACH:
            raise NotCalibratable(
                f"of slides that are {name} there is {count}, and {LEAST_OF_EACH} are needed"
            )
    fit = platt(scored.margins, scored.truth)
    probabilities = fit.probabilities(scored.margins)
    points = slide_points(probabilities, scored.truth, sensitivity)

    def rule_out(rows: Rows) -> dict[str, float]:
        truth = scored.truth[rows]
        if truth.all() or not truth.any():
            return {"rule_out": float("nan")}
        lower = slide_points(probabilities[rows], truth, sensitivity).lower
        return {"rule_out": float((probabilities[rows] <= lower).mean())}

    spans = intervals(rule_out, scored.cases.tolist(), resamples)
    value = float((probabilities <= points.lower).mean())
    figures = _left_out(scored, sensitivity)
    calibration = SlideCalibration(
        binding=slides.binding,
        slope=fit.slope,
        intercept=fit.intercept,
        lower=points.lower,
        upper=points.upper,
        sensitivity=sensitivity,
        fitted_on=FittedOnSlides(
            dataset=slides.name,
            slides=len(scored),
            positives=int(scored.truth.sum()),
            cases=len(set(scored.cases.tolist())),
        ),
        figures={"rule_out": round(value, 6), **figures},
    )
    return FittedSlides(calibration, Figure(value, *spans.get("rule_out", (None, None))))


def slide_points(
    probabilities: NDArray[np.float64], truth: NDArray[np.bool_], sensitivity: float
) -> Points:
    """At least `sensitivity` of yes lie above `lower`; at most 5 % of no reach `upper`."""
    lower = operating_points(probabilities, truth, sensitivity).lower
    return Points(lower, max(lower, operating_points(probabilities, truth).upper))


def _left_out(scored: Scored, sensitivity: float) -> dict[str, float]:
    """Fitted on some cases and measured on the others."""
    low, high = np.zeros(len(scored), np.bool_), np.zeros(len(scored), np.bool_)
    try:
        folds = list(by_case(scored.truth, scored.cases))
    except ValueError as error:
        raise NotCalibratable(str(error)) from None
    for known, unseen in folds:
        fit: Fit = platt(scored.margins[known], scored.truth[known])
        points = slide_points(
            fit.probabilities(scored.margins[known]), scored.truth[known], sensitivity
        )
        given = fit.probabilities(scored.margins[unseen])
        low[unseen], high[unseen] = given <= points.lower, given >= points.upper
    truth = scored.truth
    return {
        "left_out_sensitivity": round(float(1 - low[truth].mean()), 6),
        "left_out_rule_out": round(float(low.mean()), 6),
        "left_out_no_called_yes": round(float((high & ~low)[~truth].mean()), 6),
    }
