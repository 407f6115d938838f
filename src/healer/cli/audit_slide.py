"""`healer audit replay --slide`: a slide of the service's folder read again, and compared."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from healer.audit.records import SlideAnswerRecord
from healer.audit.replay import SCORE_TOLERANCE, recorded_slide, slide_difference
from healer.cli.audit import console, open_log
from healer.errors.base import InvalidSettings
from healer.errors.slides import SlidesNotInstalled
from healer.settings.loading import Settings

# Whose word a scale may be that is not the slide's own: it has to be stated again.
STATED = ("reader", "list")


def replay_slide(settings: Settings, slide: str) -> bool:
    """True where the latest recorded answer is as it was."""
    if settings.slides is None:
        raise InvalidSettings("HEALER_SLIDES", "is not set, so there is no slide to read")
    with open_log(settings) as store, closing(store.links()) as links:
        recorded = recorded_slide(links, slide)
    now = _read_again(settings, settings.slides, slide, recorded)
    reason = slide_difference(recorded, now)
    _show(recorded, now, reason)
    return reason is None


def _read_again(
    settings: Settings, folder: Path, slide: str, recorded: SlideAnswerRecord
) -> SlideAnswerRecord:
    try:
        from healer.slides.listing import ListedSlide
        from healer.slides.run import SlideOptions
        from healer.slides.slide_screener import SlideScreener
        from healer.worklist.catalogue import Catalogue
        from healer.worklist.database import WorklistDatabase
    except ModuleNotFoundError as missing:
        raise SlidesNotInstalled(str(missing)) from None

    with closing(WorklistDatabase(settings.results)) as database:
        entry = Catalogue(folder, database.key()).entry(slide)
    with TemporaryDirectory(prefix="healer-replay-") as out:
        screener = SlideScreener(
            settings,
            Path(out),
            SlideOptions(recorded.least_share_for_no, seed=recorded.seed),
            mpp=recorded.mpp_x if recorded.mpp_source in STATED else None,
            mpp_source=recorded.mpp_source,
        )
        with closing(screener):
            document = screener.answer(ListedSlide(entry.path, slide))
    return SlideAnswerRecord.of(document, slide)


def _show(recorded: SlideAnswerRecord, now: SlideAnswerRecord, reason: str | None) -> None:
    table = Table(
        "Time",
        "Recorded",
        "Now",
        "Agrees",
        caption=f"Verdict, score, share read; a score may move by {SCORE_TOLERANCE}",
    )
    then, today = (
        f"{each.verdict}, {each.score:.4f}, {each.read_share:.4f}" for each in (recorded, now)
    )
    agrees = "yes" if reason is None else f"no: {reason}"
    table.add_row(f"{recorded.time:%Y-%m-%d %H:%M:%S}", then, today, agrees)
    console.print(table)
