"""The seal: every record's hash covers the record before it; the log verified and exported by it.

    body  canonical JSON: keys sorted, no blanks, ASCII, numbers as Python's repr
    hash  SHA-256 of the previous record's hash, a line feed, and the body

The first record follows GENESIS. A body holds its own sequence number, so nothing about a record
is outside the seal. What is stored is the body itself, so no database's idea of a number matters.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from healer.audit.records import (
    AnswerRecord,
    MissedRecord,
    Record,
    ReviewRecord,
    SlideAnswerRecord,
    SlideReviewRecord,
)
from healer.errors.audit import AnchorMissing, AuditBroken
from healer.files.table import FORMULA

GENESIS = "0" * 64
# Columns that repeat a part of the body, to search by.
SEARCH_COLUMNS = ("sequence", "kind", "request_id", "file_sha256", "pixels_sha256")


@dataclass(frozen=True, slots=True)
class Link:
    """One record as stored; `search_columns` are the columns that repeat parts of its body."""

    sequence: int
    previous: str
    hash: str
    body: str
    search_columns: Mapping[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: an anchor, once it is kept elsewhere."""

    sequence: int = 0
    hash: str = GENESIS


def canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seal(previous: str, body: str) -> str:
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()


def linked(record: Record, head: Head) -> Link:
    """The record as it is to be stored after `head`."""
    sequence = head.sequence + 1
    content = {"sequence": sequence, **record.model_dump(mode="json")}
    body = canonical(content)
    search_columns = {name: content.get(name) for name in SEARCH_COLUMNS}
    return Link(sequence, head.hash, seal(head.hash, body), body, search_columns)


def checked(links: Iterable[Link]) -> Iterator[Link]:
    """The links, each once it is known to fit; raises AuditBroken at the first that does not."""
    head = Head()
    for link in links:
        if reason := _fault(link, head):
            raise AuditBroken(head.sequence + 1, reason)
        head = Head(link.sequence, link.hash)
        yield link


def intact(link: Link) -> Link:
    """The link, where its own seal and columns fit it; raises AuditBroken."""
    if reason := _own_fault(link):
        raise AuditBroken(link.sequence, reason)
    return link


def _fault(link: Link, head: Head) -> str | None:
    if link.sequence != head.sequence + 1:
        return f"it is missing, and record {link.sequence} stands in its place"
    if link.previous != head.hash:
        return "it does not follow from the record before it"
    return _own_fault(link)


def _own_fault(link: Link) -> str | None:
    if seal(link.previous, link.body) != link.hash:
        return "its content is not what was sealed"
    try:
        content = link.content
    except ValueError:
        return "its content is no record"
    if any(link.search_columns[name] != content.get(name) for name in SEARCH_COLUMNS):
        return "its columns differ from its content"
    return None


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
KINDS = (AnswerRecord, ReviewRecord, MissedRecord, SlideAnswerRecord, SlideReviewRecord)
FIELDS = tuple(
    dict.fromkeys(
        ["sequence", "kind", "time", "request_id"]
        + [name for kind in KINDS for name in kind.model_fields]
        + ["previous", "hash"]
    )
)


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
