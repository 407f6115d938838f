"""What the audit log costs: `python -m benchmarks.audit HEALER_AUDIT [RECORDS]`.

Appends to the log that is named, so name an empty one. Prints milliseconds a record, from one
thread and from eight, and how fast the chain is verified.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median, quantiles

from healer.audit.chain import verify
from healer.audit.store import Store
from tests.audit.answers import answer


def seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def main(audit: str, records: int) -> None:
    with closing(Store(audit)) as store:
        store.upgrade()
        taken = [seconds(lambda: store.append(answer())) * 1000 for _ in range(records)]
        percentiles = f"median {median(taken):.2f} ms, p95 {quantiles(taken, n=20)[-1]:.2f} ms"
        sys.stdout.write(f"one thread: {percentiles}\n")
        with ThreadPoolExecutor(8) as pool:
            whole = seconds(lambda: list(pool.map(lambda _: store.append(answer()), taken)))
        sys.stdout.write(f"eight threads: {records / whole:.0f} records/s\n")
        count = 0

        def walk() -> None:
            nonlocal count
            count = verify(store.links()).head.sequence

        whole = seconds(walk)
        sys.stdout.write(f"verify: {count / whole:,.0f} records/s\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500)
