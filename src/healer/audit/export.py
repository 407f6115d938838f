"""The log as text: JSON lines, exact, or CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from typing import Any, Literal, TextIO

from healer.audit.chain import Head, Link, checked
from healer.audit.records import Answered, Missed, Reviewed

Format = Literal["jsonl", "csv"]
KINDS = (Answered, Reviewed, Missed)
FIELDS = tuple(
    dict.fromkeys(
        ["sequence", "kind", "time", "request_id"]
        + [name for kind in KINDS for name in kind.model_fields]
        + ["previous", "hash"]
    )
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet knows one


def export(links: Iterable[Link], out: TextIO, form: Format) -> Head:
    """A record a line, with its hashes; returns the head. Raises AuditBroken.

    In CSV, text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    write = _csv(out) if form == "csv" else _json_lines(out)
    head = Head()
    for link in checked(links):
        write({**link.content, "previous": link.previous, "hash": link.hash})
        head = Head(link.sequence, link.hash)
    return head


def _json_lines(out: TextIO) -> Callable[[dict[str, Any]], object]:
    return lambda record: out.write(json.dumps(record) + "\n")


def _csv(out: TextIO) -> Callable[[dict[str, Any]], object]:
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    return lambda record: writer.writerow({name: _cell(value) for name, value in record.items()})


def _cell(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, list):
        return " ".join(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
