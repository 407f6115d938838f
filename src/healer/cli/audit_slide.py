"""`healer audit replay --slide`: a slide of the service's folder, or a series of an archive, read
again and compared."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.table import Table

from healer.audit.records import SlideAnswerRecord
from healer.audit.replay import SCORE_TOLERANCE, recorded_slide, slide_difference
from healer.cli.audit import console, open_log
from healer.cli.slide import Colour, dicom_source
from healer.errors.base import InvalidSettings
from healer.errors.slides import SlidesNotInstalled
from healer.settings.loading import Settings

if TYPE_CHECKING:  # an extra
    from healer.slides.listing import ListedSlide

# Whose word a scale may be that is not the slide's own: it has to be stated again.
STATED = ("reader", "list")


def replay_slide(settings: Settings, slide: str, dicomweb: str | None = None) -> bool:
    """True where the latest recorded answer is as it was. With `dicomweb`, an archive's address,
    `slide` is the UID of its series."""
    with open_log(settings) as store, closing(store.links()) as links:
        recorded = recorded_slide(links, slide)
    now = _read_again(settings, slide, recorded, dicomweb)
    reason = slide_difference(recorded, now)
    _show(recorded, now, reason)
    return reason is None


def _read_again(
    settings: Settings, slide: str, recorded: SlideAnswerRecord, dicomweb: str | None
) -> SlideAnswerRecord:
    try:
        from healer.slides.run import SlideOptions
        from healer.slides.slide_screener import SlideScreener
    except ModuleNotFoundError as missing:
        raise SlidesNotInstalled(str(missing)) from None
    with TemporaryDirectory(prefix="healer-replay-") as out:
        screener = SlideScreener(
            settings,
            Path(out),
            SlideOptions(recorded.least_share_for_no, seed=recorded.seed),
            mpp=recorded.mpp_x if recorded.mpp_source in STATED else None,
            mpp_source=recorded.mpp_source,
        )
        with closing(screener):
            if dicomweb is None:
                listed = _in_folder(settings, slide)
            else:
                source = dicom_source(settings, dicomweb, Colour.RAW, results=False)
                (listed,) = source.listing([slide]).slides
                screener.opener = source.open
            document = screener.answer(listed)
    return SlideAnswerRecord.of(document, slide)


def _in_folder(settings: Settings, slide: str) -> ListedSlide:
    """Raises SlideUnknown and InvalidSettings."""
    from healer.slides.listing import ListedSlide
    from healer.worklist.catalogue import Catalogue
    from healer.worklist.database import WorklistDatabase

    if settings.slides is None:
        reason = "is not set, and --dicomweb names no archive, so there is no slide to read"
        raise InvalidSettings("HEALER_SLIDES", reason)
    with closing(WorklistDatabase(settings.results)) as database:
        entry = Catalogue(settings.slides, database.key()).entry(slide)
    return ListedSlide(entry.path, slide)


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
