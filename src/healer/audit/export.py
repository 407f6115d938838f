"""Is every record there, in order, as it was written?"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from healer.audit.chain import Head, Link, checked
from healer.audit.records import AnswerRecord, MissedRecord, ReviewRecord
from healer.errors.audit import AnchorMissing


@dataclass(frozen=True, slots=True)
class Verified:
    """`kinds` counts records; `missed` the answers that the log itself says it does not hold;
    `anchored` is the sequence number of the record that the anchor names."""

    head: Head
    kinds: Mapping[str, int]
    missed: int
    anchored: int | None


def verify(links: Iterable[Link], anchor: str | None = None) -> Verified:
    """Raises AuditBroken at the first broken record, AnchorMissing where none has that hash."""
    head, kinds, missed, anchored = Head(), Counter[str](), 0, None
    for link in checked(links):
        head = Head(link.sequence, link.hash)
        content = link.content
        kinds[content["kind"]] += 1
        missed += content.get("answers", 0)
        if link.hash == anchor:
            anchored = link.sequence
    if anchor is not None and anchored is None:
        raise AnchorMissing(anchor, head.sequence)
    return Verified(head, kinds, missed, anchored)


Format = Literal["jsonl", "csv"]
KINDS = (AnswerRecord, ReviewRecord, MissedRecord)
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
