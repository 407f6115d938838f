"""What readers said of slides and regions: kept beside the results, and in the audit log."""

from __future__ import annotations

import csv
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path

from pypdf import PdfWriter

from healer import NOTICE
from healer.audit.journal import Journal
from healer.audit.records import SlideOpinion
from healer.errors.worklist import SlideNotRead, SlideRequestUnreadable
from healer.files.table import without_formula
from healer.slides.report_pdf import ReportPage
from healer.worklist.catalogue import SlideEntry
from healer.worklist.database import WorklistDatabase
from healer.worklist.records import Json, SlideReview
from healer.worklist.results import ResultsFolder, TileMap

COLUMNS = (
    *("case", "slide", "slide_id", "region", "verdict", "probability"),
    *("agreement", "diagnosis", "note", "read_at", "reviewed_at", "reader"),
)


class Reviews:
    """For several threads."""

    def __init__(
        self, database: WorklistDatabase, results: ResultsFolder, journal: Journal
    ) -> None:
        self._database, self._results, self._journal = database, results, journal
        self._lock = threading.Lock()
        self._by_slide: defaultdict[str, list[SlideReview]] = defaultdict(list)
        for review in database.reviews():
            self._by_slide[review.slide].append(review)

    def of(self, slide_id: str) -> Sequence[SlideReview]:
        """Oldest first."""
        with self._lock:
            return tuple(self._by_slide.get(slide_id, ()))

    def judged(
        self, opinion: SlideOpinion, by: str | None, read_at: datetime | None
    ) -> SlideReview:
        """The review with what it is about. Raises SlideNotRead and SlideRequestUnreadable."""
        document = self._results.document(opinion.slide)
        if document is None:
            raise SlideNotRead
        regions = document["regions"]
        if opinion.region is None:
            findings = _mean_findings(self._results.tiles(opinion.slide))
            probability = document["probability"]
        elif opinion.region <= len(regions):
            region = regions[opinion.region - 1]
            findings = {each["name"]: each["probability"] for each in region["findings"]}
            probability = region["score"]
        else:
            raise SlideRequestUnreadable(f"the slide has no region {opinion.region}")
        return SlideReview(
            **opinion.model_dump(),
            at=datetime.now(UTC),
            by=by,
            verdict=document["verdict"],
            probability=probability,
            findings=findings,
            read_at=read_at,
        )

    def add(self, opinion: SlideOpinion, review: SlideReview, answer: str | None) -> str | None:
        """The hash of its record in the audit log, None where none is kept; `answer` is that of
        the slide's answer. What the log cannot take is not kept here either: raises AuditError."""
        record = self._journal.review_slide(opinion, answer, review.by)
        self._database.add_review(review)
        with self._lock:
            self._by_slide[review.slide].append(review)
        return record

    def as_csv(
        self, entries: Mapping[str, SlideEntry], case_of: Callable[[SlideEntry], str | None]
    ) -> str:
        """A row for each review, a column for the probability of each class. `case_of` gives None
        for callers who may not know names."""
        reviews = [review for slide in entries for review in self.of(slide)]
        classes = list(dict.fromkeys(name for review in reviews for name in review.findings))
        text = StringIO()
        names = [f"probability of {name}" for name in classes]
        writer = csv.DictWriter(text, [*COLUMNS, *names], lineterminator="\r\n")
        writer.writeheader()
        for review in reviews:
            entry = entries[review.slide]
            case = case_of(entry)
            writer.writerow(_row(review, case or "", entry.name if case is not None else ""))
        return text.getvalue()


def _row(review: SlideReview, case: str, name: str) -> Json:
    return {
        "case": without_formula(case),
        "slide": without_formula(name),
        "slide_id": review.slide,
        "region": "" if review.region is None else review.region,
        "verdict": review.verdict,
        "probability": "" if review.probability is None else review.probability,
        "agreement": review.agreement,
        "diagnosis": review.diagnosis or "",
        "note": without_formula(review.note),
        "read_at": review.read_at.isoformat() if review.read_at else "",
        "reviewed_at": review.at.isoformat(),
        "reader": without_formula(review.by or ""),
        **{f"probability of {name}": value for name, value in review.findings.items()},
    }


def _mean_findings(tiles: TileMap) -> Mapping[str, float]:
    """Of each class over all tiles that were scored."""
    sums: defaultdict[str, float] = defaultdict(float)
    scored = [each for each in tiles.results if each.probability is not None]
    for result in scored:
        for finding in result.findings:
            sums[finding.name] += finding.probability
    return {name: round(total / len(scored), 4) for name, total in sums.items()}


def lines_of(reviews: Iterable[SlideReview]) -> list[str]:
    """One for each, for a report."""
    return [
        f"{review.at:%Y-%m-%d %H:%M} UTC, "
        + (f"region {review.region}" if review.region else "the slide")
        + f": {review.agreement}s"
        + (f", {review.diagnosis.replace('_', '-')}" if review.diagnosis else "")
        + (f". {review.note}" if review.note else "")
        + (f" ({review.by})" if review.by else "")
        for review in reviews
    ]


def with_reviews(report: Path, about: Sequence[str], reviews: Sequence[SlideReview]) -> bytes:
    """The report, and a last page that says whose slide it is and what readers said of it."""
    page = ReportPage()
    page.line("What readers said", 16, bold=True)
    for line in about:
        page.line(line, 10)
    for line in lines_of(reviews) or ["Nobody has reviewed this slide yet."]:
        page.line(line, 10)
    page.line(NOTICE, 9, bold=True)
    writer, stream = PdfWriter(), BytesIO()
    writer.append(BytesIO(report.read_bytes()))
    writer.append(BytesIO(bytes(page.pdf.output())))
    writer.write(stream)
    return stream.getvalue()
