"""The log as the service uses it: records answers and reviews, and reports its own state."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import structlog

from healer.audit.records import (
    AnswerRecord,
    Given,
    MissedRecord,
    Opinion,
    ReviewRecord,
    SlideAnswerRecord,
    SlideOpinion,
    SlideReviewRecord,
)
from healer.errors.audit import AnswerUnknown, AuditError, AuditLibrariesMissing, AuditOff
from healer.settings.loading import Settings

if TYPE_CHECKING:  # its libraries are an extra
    from healer.audit.store import Store

log = structlog.get_logger(__name__)


class Journal(Protocol):
    """Every method but `warnings` blocks: call it off the event loop. `enabled`: a log is kept."""

    enabled: bool

    def check(self) -> None:
        """At the start: log what would keep answers from being recorded."""
        ...

    def record(self, answer: AnswerRecord, /) -> bool | None:
        """True once it is committed, None where no log is kept, False where the log is down and
        the operator chose to answer all the same; raises AuditError where they did not."""
        ...

    def review(self, opinion: Opinion, caller: str | None, /) -> str:
        """The hash of the review's record; raises AnswerUnknown or AuditError."""
        ...

    def record_slide(
        self, document: Mapping[str, Any], slide: str, caller: str | None, /
    ) -> str | None:
        """The hash of the record of what `slide.json` says; None where no log is kept, or where
        it is down and the operator chose to answer all the same."""
        ...

    def review_slide(
        self, opinion: SlideOpinion, answer: str | None, caller: str | None, /
    ) -> str | None:
        """The hash of the review's record, None where no log is kept; raises AuditError."""
        ...

    def warnings(self) -> list[str]:
        """For /health."""
        ...

    def close(self) -> None: ...


def open_journal(settings: Settings) -> Journal:
    """Connects to no database yet; raises InvalidSettings or AuditLibrariesMissing."""
    if settings.audit is None:
        return NoJournal()
    return StoreJournal(open_store(settings.audit.get_secret_value()), settings.audit_failure)


def open_store(audit: str, *, read_only: bool = False) -> Store:
    try:
        from healer.audit.store import Store

        return Store(audit, read_only=read_only)
    except ModuleNotFoundError as missing:
        raise AuditLibrariesMissing(str(missing)) from None


class NoJournal:
    """HEALER_AUDIT is not set."""

    enabled = False

    def check(self) -> None:
        pass

    def record(self, _answer: AnswerRecord, /) -> None:
        pass

    def review(self, _opinion: Opinion, _caller: str | None, /) -> str:
        raise AuditOff

    def record_slide(
        self, _document: Mapping[str, Any], _slide: str, _caller: str | None, /
    ) -> None:
        pass

    def review_slide(
        self, _opinion: SlideOpinion, _answer: str | None, _caller: str | None, /
    ) -> None:
        pass

    def warnings(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class StoreJournal:
    enabled = True

    def __init__(self, store: Store, failure: Literal["refuse", "degrade"]) -> None:
        self._store = store
        self._degrades = failure == "degrade"
        self._lock = threading.Lock()
        self._error: AuditError | None = None
        self._missed = 0  # answers that no record in the log accounts for yet
        self._since: datetime | None = None

    def check(self) -> None:
        try:
            self._store.make_current()
        except AuditError as error:
            self._error = error
            log.error("audit log", code=error.code, detail=str(error))

    def record(self, answer: AnswerRecord, /) -> bool:
        return self._recorded(answer) is not None

    def record_slide(
        self, document: Mapping[str, Any], slide: str, caller: str | None, /
    ) -> str | None:
        return self._recorded(SlideAnswerRecord.of(document, slide, caller))

    def _recorded(self, answer: Given) -> str | None:
        gap = self._take_missed()
        try:
            link = self._store.append(*gap, answer)[-1]
        except AuditError as error:
            self._error = error
            if not self._degrades:
                raise
            self._miss(gap, answer, error)
            return None
        self._error = None
        return link.hash

    def review(self, opinion: Opinion, caller: str | None, /) -> str:
        self._store.make_current()
        answer = self._store.answer(opinion.request_id)
        if answer is None:
            raise AnswerUnknown
        review = ReviewRecord(answer=answer.hash, caller=caller, **opinion.model_dump())
        return self._store.append(review)[0].hash

    def review_slide(
        self, opinion: SlideOpinion, answer: str | None, caller: str | None, /
    ) -> str | None:
        review = SlideReviewRecord(answer=answer, caller=caller, **opinion.model_dump())
        return self._store.append(review)[0].hash

    def warnings(self) -> list[str]:
        warnings = []
        if self._error:
            warnings.append(f"the audit log cannot be written ({self._error.code})")
        if self._missed:
            warnings.append(f"{self._missed} answers since {self._since} are not in the audit log")
        return warnings

    def close(self) -> None:
        try:
            if gap := self._take_missed():
                self._store.append(*gap)
        except AuditError as error:
            log.error("answers not recorded", answers=gap[0].answers, code=error.code)
        finally:
            self._store.close()

    def _take_missed(self) -> list[MissedRecord]:
        """What the next record must follow: how many answers are missing, if any."""
        with self._lock:
            if not self._missed or self._since is None:
                return []
            gap = MissedRecord(answers=self._missed, since=self._since)
            self._missed, self._since = 0, None
            return [gap]

    def _miss(self, gap: list[MissedRecord], answer: Given, error: AuditError) -> None:
        with self._lock:
            self._missed += 1 + sum(each.answers for each in gap)
            since = [self._since, *(each.since for each in gap), answer.time]
            self._since = min(time for time in since if time is not None)
        name = answer.request_id if isinstance(answer, AnswerRecord) else answer.slide
        log.error("answer not recorded", request_id=name, code=error.code)
