"""One sentence from class probabilities. It says where it comes from and agrees with the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healer.engines.base import Answer, Finding

CANCER = "adenocarcinoma"
PRECURSORS = frozenset(
    {
        "high-grade intraepithelial neoplasia",
        "low-grade intraepithelial neoplasia",
        "serrated adenoma",
    }
)
SOURCE = "this sentence is composed from its class probabilities."


def compose(findings: Sequence[Finding], answer: Answer) -> Iterator[str]:
    """Pieces of the sentence, for findings sorted by probability."""
    cancer = next(finding for finding in findings if finding.name == CANCER)
    others = [finding for finding in findings if finding.name != CANCER]
    yield opening(answer)
    yield from FORMS[answer](cancer, others)
    yield f"; {SOURCE}"


def opening(answer: Answer) -> str:
    return {
        Answer.YES: "The built-in classifier's score is in the range read as cancer: it puts ",
        Answer.NO: "The built-in classifier's score is in the range read as no cancer: it puts ",
        Answer.INDETERMINATE: "The built-in classifier cannot tell: it puts ",
    }[answer]


def towards(cancer: Finding, others: Sequence[Finding]) -> Iterator[str]:
    yield f"{percent(cancer)} on {CANCER}"
    yield f" and {percent(others[0])} on {named(others[0])}"


def away(cancer: Finding, others: Sequence[Finding]) -> Iterator[str]:
    yield f"{percent(others[0])} on {named(others[0])}"
    yield f" and {percent(cancer)} on {CANCER}"


FORMS = {Answer.YES: towards, Answer.NO: away, Answer.INDETERMINATE: towards}


def named(finding: Finding) -> str:
    if finding.name in PRECURSORS:
        return f"{finding.name} (a precursor lesion, not cancer)"
    return finding.name


def percent(finding: Finding) -> str:
    if finding.probability < 0.005:
        return "under 1 %"
    return "over 99 %" if finding.probability > 0.995 else f"{finding.probability:.0%}"[:-1] + " %"
