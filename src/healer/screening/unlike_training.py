"""The warning on a tile that is unlike all that the model learnt from and was calibrated on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from healer.engines.base import Evidence
from healer.screening.wide_field import FieldWarning

if TYPE_CHECKING:
    from healer.screening.screener import Score

CODE = "unlike_training"


def unlike_training_warning(evidence: Evidence, subject: str) -> FieldWarning | None:
    """None where the tile is not that unlike, or the engine does not measure it.

    `subject` begins the sentence: what was measured.
    """
    found = evidence.unlikeness
    if found is None or found.measured <= found.threshold:
        return None
    sentence = (
        f"{subject} is unlike the colorectal tissue that the model was trained and calibrated on: "
        f"{found.measured:.2f} times as far from it as usual, where up to {found.threshold:.2f} is "
        "common. It may show another organ, rare tissue or an artefact, and the answer may not "
        "hold."
    )
    return FieldWarning(CODE, found.measured, found.threshold, sentence)


def warned_if_unlike(score: Score) -> Score:
    """With the warning, and not calibrated, where its evidence is unlike the training tiles."""
    subject = "The tile" if score.place is None else "The window that was answered from"
    warning = unlike_training_warning(score.evidence, subject)
    if warning is None:
        return score
    return replace(
        score,
        verdict=replace(score.verdict, calibrated=False),
        warnings=(*score.warnings, warning),
    )
