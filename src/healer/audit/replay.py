"""The same image, scored again: does what answers today answer as it did?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from healer.audit.chain import Link, intact
from healer.audit.records import AnswerRecord, SlideAnswerRecord
from healer.engines.base import Evidence
from healer.errors.audit import NotReplayable, SlideNotRecorded
from healer.images.tile import Tile
from healer.screening.calibration import Binding
from healer.screening.screener import Screener
from healer.screening.verdict import Verdict

# Natural log-odds. Published in docs/audit.md; what the engines' conformance tests hold them to
# when a tile comes in another batch, and what a margin may move by on the same kind of device.
TOLERANCE = 0.02
SCORE_TOLERANCE = 0.01  # of a slide's score, which is a mean of probabilities
OF_CODE = "healer="  # the part of a slide's run that says which version of the code it was


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded answer beside today's. `reason` says why they differ; None where they agree."""

    recorded: AnswerRecord
    margin: float
    verdict: Verdict
    reason: str | None


def replay(
    screener: Screener, tile: Tile, pixels_sha256: str, answers: Sequence[Link]
) -> list[Replayed]:
    """Each recorded answer that the screener can speak to, compared; one score of the tile.

    Raises AuditBroken for a record that was altered, NotReplayable where none can be compared.
    """
    recorded = [_checked_answer(link) for link in answers]
    comparable = [each for each in recorded if not _mismatches(each, screener)]
    if not comparable:
        raise NotReplayable("; ".join(_mismatches(recorded[-1], screener)))
    score = screener.score([tile])[0]
    return [
        Replayed(each, score.evidence.margin, score.verdict, reason)
        for each in comparable
        for reason in [_difference(each, score.evidence, score.verdict, pixels_sha256, screener)]
    ]


def recorded_slide(links: Iterable[Link], slide: str) -> SlideAnswerRecord:
    """The slide's latest answer. Raises SlideNotRecorded, and AuditBroken where it was altered."""
    latest: Link | None = None
    for link in links:
        content = link.content
        if content.get("kind") == "slide_answer" and content.get("slide") == slide:
            latest = link
    if latest is None:
        raise SlideNotRecorded(slide)
    content = intact(latest).content
    del content["sequence"]
    return SlideAnswerRecord.model_validate(content)


def slide_difference(recorded: SlideAnswerRecord, now: SlideAnswerRecord) -> str | None:
    """Why today's answer is another; None where they agree. Raises NotReplayable where the slide,
    its scale, the model or the calibration is another."""
    then, today = ({*each.run} for each in (recorded, now))
    other = sorted(part for part in then - today if not part.startswith(OF_CODE))
    if other:
        raise NotReplayable(f"{', '.join(other)} is not so any more")
    if recorded.tiles != now.tiles:
        return f"{now.tiles:,} tiles were scored, and {recorded.tiles:,} then"
    if (moved := abs(recorded.score - now.score)) > SCORE_TOLERANCE:
        return f"the score moved by {moved:.4f}"
    return None if recorded.verdict == now.verdict else "another verdict at the same score"


def _checked_answer(link: Link) -> AnswerRecord:
    content = intact(link).content
    del content["sequence"]
    return AnswerRecord.model_validate(content)


def _mismatches(recorded: AnswerRecord, screener: Screener) -> list[str]:
    """What a margin depends on and is not as it was."""
    then = Binding(**{name: getattr(recorded, name) for name in Binding.model_fields}).model_dump()
    return [
        f"{name} was {then[name]} and is {value}"
        for name, value in Binding.of(screener.info).model_dump().items()
        if then[name] != value
    ]


def _difference(
    recorded: AnswerRecord, seen: Evidence, verdict: Verdict, pixels_sha256: str, screener: Screener
) -> str | None:
    moved = abs(seen.margin - recorded.margin)
    calibration = screener.calibration.id if screener.calibration else None
    if recorded.pixels_sha256 != pixels_sha256:
        return "the file is decoded to other pixels than it was" if moved > TOLERANCE else None
    if moved > TOLERANCE:
        where = f" (then on {recorded.device}, now on {screener.info.device})"
        return f"the margin moved by {moved:.4f}{where}"
    if recorded.calibration != calibration:
        return None  # the margin agrees; probability and verdict are another calibration's
    return None if recorded.verdict == verdict.answer else "another verdict at the same margin"
