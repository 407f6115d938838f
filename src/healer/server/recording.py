"""An answer's record, committed before the answer is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from healer.audit.journal import Journal, NoJournal
from healer.audit.records import answer_record, file_digest
from healer.quality.gate import LoadedTile
from healer.screening.screener import Score, Screener, Screening

CALLER = "healer.caller"  # in a request's scope, where whoever checks access leaves a name


def caller_of(connection: HTTPConnection) -> str | None:
    return connection.scope.get(CALLER)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a request before it is answered; `data` is the file as it was sent."""

    journal: Journal
    screener: Screener
    admitted: LoadedTile
    data: bytes = field(repr=False)
    request_id: str
    caller: str | None

    async def of(self, seen: Score | Screening) -> bool | None:
        """Whether the answer was recorded; None where no log is kept. Raises AuditError."""
        if isinstance(self.journal, NoJournal):
            return None
        return await run_in_threadpool(self._record, seen)

    def _record(self, seen: Score | Screening) -> bool | None:
        return self.journal.record(
            answer_record(
                self.screener,
                self.admitted,
                seen,
                file_sha256=file_digest(self.data),
                request_id=self.request_id,
                caller=self.caller,
            )
        )
