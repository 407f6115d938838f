"""How the tile was read, and the classes that are likeliest, in plain words.

Nothing but class probabilities is known here: the words are composed from them, as the model card
and every answer's `headline_rule` say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healer.engines.base import Answer, Finding
from healer.percent import rough_percent

CANCER = "adenocarcinoma"
READ = {
    Answer.YES: "Read as cancer.",
    Answer.NO: "Read as no cancer.",
    Answer.INDETERMINATE: "Cannot be read as cancer or as no cancer.",
}
NAMED = 2  # classes


def compose(findings: Sequence[Finding], answer: Answer) -> Iterator[str]:
    """Pieces of it, for findings sorted by probability."""
    yield READ[answer]
    yield " Most likely classes: "
    yield ", ".join(f"{short(each)} {rough_percent(each.probability)}" for each in findings[:NAMED])
    yield "."


def short(finding: Finding) -> str:
    return finding.name.replace("intraepithelial ", "")
