"""Tile results made by hand."""

from __future__ import annotations

from healer.engines.base import Answer, Finding
from healer.questions.colorectal import ADENOCARCINOMA, HIGH_GRADE, LOW_GRADE, SERRATED
from healer.screening.verdict import OF_WINDOWS, Verdict, second_answer
from healer.slides.reader import Area, Resolution
from healer.slides.scoring import TileResult

SIDE = 100
HALF_UM = Resolution(0.5, 0.5, "test")
CUT = 0.5


def area(column: float, row: float) -> Area:
    return Area(round(column * SIDE), round(row * SIDE), SIDE, SIDE)


def scored(column: float, row: float, probability: float, low_grade: float = 0.0) -> TileResult:
    """A tile of a grid; what is neither adenocarcinoma nor low-grade neoplasia is normal."""
    shares = {
        ADENOCARCINOMA: probability,
        HIGH_GRADE: 0.0,
        LOW_GRADE: low_grade,
        SERRATED: 0.0,
        "normal": 1 - probability - low_grade,
    }
    findings = tuple(Finding(name, share) for name, share in shares.items())
    answer = Answer.YES if probability >= CUT else Answer.NO
    verdict = Verdict(answer, probability)
    return TileResult(
        area=area(column, row),
        um_per_px=1.0,
        probability=probability,
        verdict=answer,
        second=second_answer(verdict, findings, OF_WINDOWS),
        findings=findings,
        reasons=(),
        problem=None,
        tissue_mm2=0.0025,
    )


def refused(column: float, row: float, *reasons: str, problem: str | None = None) -> TileResult:
    return TileResult(area(column, row), 1.0, None, None, None, (), reasons, problem, 0.0025)
