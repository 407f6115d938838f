from __future__ import annotations

from tests.telemetry.table import DOCUMENT, rewritten


def test_its_table_is_of_the_metrics_that_there_are(scrape: str) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rewritten(document, scrape), "run `make generate`"
