"""The table of metrics in docs/observability.md: `python -m tests.telemetry.table`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import REPO
from tests.telemetry.scraped import scraped

DOCUMENT = REPO / "docs" / "observability.md"
BEGIN, END = "<!-- metrics -->", "<!-- /metrics -->"


def table(scrape: str) -> str:
    """A row a metric, of a scrape that holds all of them."""
    families = sorted(text_string_to_metric_families(scrape), key=lambda family: family.name)
    rows = [row(family) for family in families]
    return "\n".join(["| metric | kind | labels | what it is |", "|---|---|---|---|", *rows])


def row(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    label_list = ", ".join(f"`{label}`" for label in sorted(labels))
    return f"| `{name}` | {family.type} | {label_list} | {family.documentation} |"


def rewritten(document: str, scrape: str) -> str:
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n{table(scrape)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = rewritten(DOCUMENT.read_text(encoding="utf-8"), scraped(Path(folder)))
    DOCUMENT.write_text(text, encoding="utf-8")
