"""The worklist as those who use it see it: pages of slides, one slide, cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Literal

from healer import NOTICE
from healer.audit.records import SlideOpinion
from healer.errors.slides import NoResolution, ResolutionContradictory, SlideError
from healer.errors.worklist import NoTileHere, SlideNotRead
from healer.slides.score import SECOND
from healer.worklist.answerer import SlideModel
from healer.worklist.catalogue import Catalogue, SlideEntry
from healer.worklist.feed import Feed
from healer.worklist.pyramid import DeepZoom, SlidePictures
from healer.worklist.readings import Readings, counts
from healer.worklist.records import Json, SlideRecord, SlideReview, SlideState
from healer.worklist.results import ResultsFolder, TileMap, tile_json
from healer.worklist.reviews import Reviews, with_reviews

MOST_NAMED = 200  # of changed slides; where more have, the news is that any may have
RISK = {"yes": 0, "indeterminate": 1, "no": 2}
UNANSWERED = len(RISK)
CHANGES = {
    "healer": "the version of Healer",
    "calibration": "the calibration",
    f"{SECOND}calibration": "the second model's calibration",
}
SCALE_WANTED = frozenset({NoResolution.code, ResolutionContradictory.code})
ANSWERED = frozenset({SlideState.READ, SlideState.STALE})
READ_ALL = frozenset({SlideState.UNREAD, SlideState.STALE, SlideState.CANCELLED, SlideState.FAILED})

Risk = tuple[int, float, str]
Order = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SlideQuery:
    state: SlideState | None = None
    verdict: str | None = None
    case: str | None = None
    review: Literal["agree", "disagree", "none"] | None = None
    sort: Literal["risk", "name", "case"] = "risk"
    page: int = 1
    per_page: int = 50


@dataclass(frozen=True, slots=True)
class SlideView:
    """One slide as it stands now."""

    entry: SlideEntry
    record: SlideRecord
    state: SlideState
    stale_reason: str | None
    case: str | None  # as the caller may know it
    reviews: Sequence[SlideReview]

    @property
    def verdict(self) -> str | None:
        """What was answered, where the answer still is one."""
        answered = self.state in ANSWERED and self.record.summary
        return answered.verdict if answered else None

    @property
    def risk(self) -> Risk:
        """The most suspicious first; what was not answered comes last, by name."""
        summary = self.record.summary if self.verdict else None
        if summary is None:
            return UNANSWERED, 0.0, self.entry.name
        return RISK.get(summary.verdict, UNANSWERED), -(summary.probability or 0.0), self.entry.name

    @property
    def wants_scale(self) -> bool:
        """Whether it waits for somebody to state what its file does not."""
        problem = self.record.problem if self.state is SlideState.FAILED else None
        return problem is not None and problem["code"] in SCALE_WANTED

    @property
    def latest(self) -> SlideReview | None:
        """The latest word on the whole slide."""
        return next((each for each in reversed(self.reviews) if each.region is None), None)

    @property
    def is_disputed(self) -> bool:
        """Whether the latest word on it, or on one of its regions, disagrees."""
        latest = {review.region: review.agreement for review in self.reviews}
        return "disagree" in latest.values()

    @property
    def reviewed(self) -> str:
        if not self.reviews:
            return "none"
        return "disagree" if self.is_disputed else "agree"


class Worklist:
    """For several threads. Raises `healer.errors.worklist`."""

    def __init__(
        self,
        catalogue: Catalogue,
        readings: Readings,
        results: ResultsFolder,
        model: SlideModel,
        reviews: Reviews,
        pictures: SlidePictures,
        feed: Feed,
    ) -> None:
        self.catalogue, self.readings, self.results = catalogue, readings, results
        self.model, self.reviews = model, reviews
        self.pictures, self.feed = pictures, feed

    def page(self, query: SlideQuery, *, named: bool) -> Json:
        """`named`: the caller may know what slides and cases are called."""
        views = list(self._views(named=named))
        wanted = sorted((view for view in views if _fits(view, query)), key=_order(views, query))
        first = (query.page - 1) * query.per_page
        shown = wanted[first : first + query.per_page]
        return {
            "slides": [self._summary(view, named=named) for view in shown],
            "total": len(wanted),
            "page": query.page,
            "per_page": query.per_page,
            "counts": counts(view.state for view in views),
            "without_scale": sum(view.wants_scale for view in views),
            "queue": self.readings.queue_json(),
            "cases": list(_cases(views, {view.case for view in shown if view.case})),
            "notice": NOTICE,
        }

    def summary(self, slide_id: str, *, named: bool) -> Json:
        """Raises SlideUnknown."""
        return self._summary(self._view(self.catalogue.entry(slide_id), named=named), named=named)

    def detail(self, slide_id: str, *, named: bool) -> Json:
        """Raises SlideUnknown."""
        view = self._view(self.catalogue.entry(slide_id), named=named)
        document = self.results.document(slide_id) if view.state in ANSWERED else None
        detail = self._summary(view, named=named)
        if document and view.state is SlideState.READ:  # its file need not be opened for that
            detail |= {"size": document["size"], "levels": document["levels"]}
        else:
            detail |= self._measures(view.entry, detail["mpp"])
        reviews = [review_json(review) for review in view.reviews]
        return {**detail, "answer": document, "reviews": reviews}

    def _measures(self, entry: SlideEntry, mpp: Json | None) -> Json:
        """From the slide's file: nothing of it may be known yet."""
        try:
            info, stated = self.pictures.info(entry, self.scale_of(entry))
        except SlideError:  # its own problem says why once somebody has it read
            return {"size": None, "levels": [], "mpp": mpp}
        if mpp is None and stated:
            mpp = asdict(info.resolution)
        return {"size": info.size, "levels": [asdict(each) for each in info.levels], "mpp": mpp}

    def scale_of(self, entry: SlideEntry) -> float | None:
        """Micrometres per pixel that somebody stated for it."""
        stated = self.readings.record(entry.id).mpp
        return stated if stated is not None else entry.mpp

    def tiles(self, slide_id: str) -> TileMap:
        """What is known of it by now. Raises SlideUnknown and SlideNotRead."""
        self.catalogue.entry(slide_id)
        reading = self.readings.current(slide_id)
        return reading.map if reading and reading.map else self.results.tiles(slide_id)

    def regions(self, slide_id: str) -> Sequence[Json]:
        """Raises SlideUnknown."""
        view = self._view(self.catalogue.entry(slide_id), named=False)
        reading = self.readings.current(slide_id)
        if reading is not None:
            return reading.regions
        document = self.results.document(slide_id) if view.state in ANSWERED else None
        return document["regions"] if document else []

    def submit_all(
        self, states: Iterable[str] = READ_ALL, mpp: float | None = None, by: str | None = None
    ) -> int:
        """How many wait now that did not before; in the order of their names. With `mpp`, those
        alone that state no usable scale."""
        chosen = frozenset(states)
        views = [view for view in self._views(named=False) if view.state in chosen]
        ids = (view.entry.id for view in views if mpp is None or view.wants_scale)
        return self.readings.submit_all(ids, mpp, by)

    def query(self, **fields: Any) -> SlideQuery:  # noqa: ANN401 - as HTTP has checked them
        return SlideQuery(**fields)

    def submit(self, slide_id: str, mpp: float | None, by: str | None, *, named: bool) -> Json:
        """Raises SlideUnknown and SlideBeingRead."""
        self.catalogue.entry(slide_id)
        self.readings.submit(slide_id, mpp, by)
        return self.summary(slide_id, named=named)

    def cancel(self, slide_id: str, *, named: bool) -> Json:
        """Raises SlideUnknown and SlideNotBeingRead."""
        self.catalogue.entry(slide_id)
        self.readings.cancel(slide_id)
        return self.summary(slide_id, named=named)

    def known_so_far(self, slide_id: str) -> Sequence[tuple[str, Json]]:
        """Events for one who begins to follow in the middle of a reading."""
        reading = self.readings.current(slide_id)
        if reading is None:
            return ()
        known: list[tuple[str, Json]] = []
        if progress := reading.as_json():
            known.append(("progress", progress))
        if reading.map is not None:
            known.append(("map", {"version": reading.map.version}))
            known.append(("regions", {"regions": list(reading.regions)}))
        return known

    def news(self, changed: Set[str] = frozenset()) -> Json:
        """For one who follows the list: which slides have changed, null for any of them."""
        return {
            "slides": sorted(changed) if len(changed) <= MOST_NAMED else None,
            "reading": self.readings.under_way(),
            "queue": self.readings.queue_json(),
        }

    def tile(self, slide_id: str, x: int, y: int) -> Json:
        """Raises NoTileHere."""
        try:
            return tile_json(self.tiles(slide_id).at(x, y))
        except SlideNotRead:
            raise NoTileHere from None

    def pyramid(self, slide_id: str) -> DeepZoom:
        entry = self.catalogue.entry(slide_id)
        return DeepZoom(self.pictures.info(entry, self.scale_of(entry))[0].size)

    def picture(self, slide_id: str, level: int, column: int, row: int) -> bytes:
        entry = self.catalogue.entry(slide_id)
        return self.pictures.picture(entry, self.scale_of(entry), level, column, row)

    def map_picture(self, slide_id: str, level: int, column: int, row: int) -> bytes:
        area, size = self.pyramid(slide_id).field(level, column, row)
        return self.tiles(slide_id).picture(area, size)

    def thumbnail(self, slide_id: str) -> bytes:
        entry = self.catalogue.entry(slide_id)
        return self.pictures.thumbnail(entry, self.scale_of(entry), self.results.of(slide_id))

    def stored(self, slide_id: str, name: str) -> bytes:
        """A file of the slide's results. Raises SlideNotRead, also while it is read again: what
        lies there then is of two readings."""
        self._answered(slide_id, named=False)
        return self.results.file(slide_id, name).read_bytes()

    def report(self, slide_id: str, *, named: bool) -> bytes:
        """Raises SlideNotRead."""
        view = self._answered(slide_id, named=named)
        place = self.results.file(slide_id, "report.pdf")
        about = [f"Slide {view.entry.name if named else slide_id}"]
        about[0] += f", case {view.case}" if view.case else ""
        if view.stale_reason:
            about.append(f"This report is out of date. {view.stale_reason}")
        return with_reviews(place, about, view.reviews)

    def _answered(self, slide_id: str, *, named: bool) -> SlideView:
        """Raises SlideUnknown and SlideNotRead."""
        view = self._view(self.catalogue.entry(slide_id), named=named)
        if view.state not in ANSWERED:
            raise SlideNotRead
        return view

    def reviews_json(self, slide_id: str) -> Sequence[Json]:
        return [review_json(each) for each in self.reviews.of(self.catalogue.entry(slide_id).id)]

    def reviews_csv(self, *, named: bool) -> str:
        return self.reviews.as_csv(
            self.catalogue.entries(), lambda entry: (entry.case or "") if named else None
        )

    def review(self, opinion: SlideOpinion, by: str | None) -> str | None:
        """Kept for good; the hash of its record in the audit log, None where none is kept. Raises
        SlideUnknown, SlideNotRead, SlideRequestUnreadable and AuditError."""
        record = self._answered(opinion.slide, named=False).record
        review = self.reviews.judged(opinion, by, record.updated)
        link = self.reviews.add(opinion, review, record.audited)
        self.feed.publish(opinion.slide, "review")
        return link

    def start(self) -> None:
        self.readings.start()

    def stop(self) -> None:
        self.readings.stop()
        self.pictures.close_idle(0.0)
        self.model.close()

    def _views(self, *, named: bool) -> Iterable[SlideView]:
        model = self.model.binding()
        for entry in self.catalogue.entries().values():
            yield self._viewed(entry, model, named=named)

    def _view(self, entry: SlideEntry, *, named: bool) -> SlideView:
        return self._viewed(entry, self.model.binding(), named=named)

    def _viewed(self, entry: SlideEntry, model: Mapping[str, str], *, named: bool) -> SlideView:
        record = self.readings.record(entry.id)
        state, reason = _state(entry, record, model)
        case = entry.case
        if case is not None and not named:
            case = self.catalogue.pseudonym(f"case {case}")
        return SlideView(entry, record, state, reason, case, self.reviews.of(entry.id))

    def _summary(self, view: SlideView, *, named: bool) -> Json:
        record, answered = view.record, view.state in ANSWERED
        summary = record.summary if answered else None
        reading = self.readings.current(view.entry.id)
        latest = view.latest
        return {
            "id": view.entry.id,
            "name": view.entry.name if named else None,
            "case": view.case,
            "state": str(view.state),
            "verdict": view.verdict,
            "unanswered": summary and summary.unanswered,
            "probability": summary and summary.probability,
            "calibrated": bool(summary and summary.calibrated),
            "second_answer": summary and summary.second_answer,
            "positive_mm2": summary and summary.positive_mm2,
            "read_share": summary and summary.read_share,
            "tissue_mm2": summary and summary.tissue_mm2,
            "regions": summary and summary.regions,
            "problem": record.problem if view.state is SlideState.FAILED else None,
            "progress": reading.as_json() if reading else None,
            "updated": record.updated and record.updated.isoformat(),
            "stale_reason": view.stale_reason,
            "thumbnail": f"/slides/{view.entry.id}/thumbnail.jpeg",
            "review": latest
            and {
                "agreement": latest.agreement,
                "diagnosis": latest.diagnosis,
                "at": latest.at.isoformat(),
            },
            "mpp": summary and summary.mpp,
        }


def review_json(review: SlideReview) -> Json:
    return review.model_dump(mode="json", exclude={"slide", "findings"})


def _state(
    entry: SlideEntry, record: SlideRecord, model: Mapping[str, str]
) -> tuple[SlideState, str | None]:
    """And why it is stale, where it is."""
    changed = record.stamp is not None and record.stamp != entry.stamp
    if record.state is SlideState.FAILED and changed:
        return SlideState.UNREAD, None
    if record.state is not SlideState.READ or record.summary is None:
        return record.state, None
    if changed:
        return SlideState.STALE, "The slide's file was replaced or changed after it was read."
    run = record.summary.run
    if other := [name for name, value in model.items() if _differs(run, name, value)]:
        changes = dict.fromkeys(CHANGES.get(name, "the model") for name in other)
        return SlideState.STALE, f"It was read with another state of {' and '.join(changes)}."
    return SlideState.READ, None


def _differs(run: Mapping[str, str], name: str, value: str) -> bool:
    """An answer is no worse for a second model that was not there to be asked."""
    return run.get(name, value if name.startswith(SECOND) else None) != value


def _fits(view: SlideView, query: SlideQuery) -> bool:
    return (
        query.state in (None, view.state)
        and query.verdict in (None, view.verdict)
        and query.case in (None, view.case)
        and query.review in (None, view.reviewed)
    )


def _order(views: Sequence[SlideView], query: SlideQuery) -> Callable[[SlideView], Order]:
    if query.sort == "name":
        return lambda view: (view.entry.name,)
    if query.sort == "risk":
        return lambda view: view.risk
    worst: dict[str, Risk] = {}
    for view in views:
        if view.case is not None:
            worst[view.case] = min(view.risk, worst.get(view.case, view.risk))
    return lambda view: (worst.get(view.case or "", view.risk), view.case or "", view.risk)


def _cases(views: Sequence[SlideView], wanted: Iterable[str]) -> Iterable[Json]:
    members: defaultdict[str, list[SlideView]] = defaultdict(list)
    for view in views:
        if view.case is not None:
            members[view.case].append(view)
    for case in sorted(wanted):
        slides = members[case]
        verdicts = sorted((v for view in slides if (v := view.verdict)), key=lambda v: RISK[v])
        yield {
            "case": case,
            "slides": len(slides),
            "read": sum(view.state in ANSWERED for view in slides),
            "worst_verdict": verdicts[0] if verdicts else None,
            "disagreements": sum(view.is_disputed for view in slides),
        }
