"""A process that records answers and says which: `… writer HEALER_AUDIT NAME COUNT [THREADS]`.

Every line on stdout is a request id that was acknowledged.
"""

from __future__ import annotations

import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import structlog

from healer.audit.journal import StoreJournal
from healer.audit.store import Store
from tests.audit.answers import answer


def main(audit: str, name: str, count: str, threads: str = "1") -> None:
    """`count` answers a thread; 0 is without end. The first failure ends the process."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    journal = StoreJournal(Store(audit), "refuse")
    journal.check()

    def write(thread: int) -> None:
        for number in itertools.islice(itertools.count(), int(count) or None):
            request_id = f"{name}-{thread}-{number}"
            assert journal.record(answer(request_id))
            os.write(1, f"{request_id}\n".encode())  # at once, and whole

    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(write, range(int(threads))))
    journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
