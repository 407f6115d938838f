"""The worklist of a service, put together from its settings."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from healer.errors.base import InvalidSettings
from healer.errors.slides import SlidesNotInstalled
from healer.settings.loading import Settings
from healer.worklist.answerer import ServedSecond, SlideModel
from healer.worklist.catalogue import Catalogue
from healer.worklist.database import WorklistDatabase
from healer.worklist.feed import Feed
from healer.worklist.metrics import ReadingMetrics
from healer.worklist.pyramid import SlidePictures
from healer.worklist.readings import Readings
from healer.worklist.results import ResultsFolder
from healer.worklist.reviews import Reviews
from healer.worklist.worklist import Worklist

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from healer.audit.journal import Journal
    from healer.server.service import Service


def open_worklist(
    settings: Settings,
    service: Service,
    journal: Journal,
    registry: CollectorRegistry,
    *,
    reads: bool,
) -> Worklist:
    """`reads`: the service's own model reads slides. Raises InvalidSettings, SlidesNotInstalled
    and ResultsUnusable."""
    folder = settings.slides
    if folder is None or not folder.is_dir():
        raise InvalidSettings("HEALER_SLIDES", f"is {folder}, which is not a folder")
    if settings.results.resolve().is_relative_to(folder.resolve()):
        raise InvalidSettings("HEALER_RESULTS", "lies in HEALER_SLIDES, which is only read")
    if find_spec("openslide") is None:  # which only the processes that read slides import
        raise SlidesNotInstalled("openslide")
    database = WorklistDatabase(settings.results)
    catalogue, results = Catalogue(folder, database.key()), ResultsFolder(settings.results)
    served = (lambda: service.screener) if reads else None
    second = None if reads else ServedSecond(lambda: service.screener, service.screen_one)
    model = SlideModel(settings, results.folder, served, service.score_many, second)
    feed, pictures = Feed(), SlidePictures()
    readings = Readings(
        catalogue,
        database,
        model,
        feed,
        on_finished=lambda entry, document, by: journal.record_slide(document, entry.id, by),
        on_tick=pictures.close_idle,
        metrics=ReadingMetrics(registry),
    )
    reviews = Reviews(database, results, journal)
    return Worklist(catalogue, readings, results, model, reviews, pictures, feed)
