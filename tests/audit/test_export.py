from __future__ import annotations

import csv
import hashlib
import json
from io import StringIO
from typing import Literal

import pytest

from healer.audit.chain import GENESIS, Head, Link, export, linked
from healer.audit.records import MissedRecord, ReviewRecord, now
from healer.errors import AuditBroken
from tests.audit.answers import answer


def links() -> list[Link]:
    first = linked(answer("r1", caller="=1+1", gate_reasons=("too_blurred", "no_tissue")), Head())
    review = ReviewRecord(
        request_id="r1", answer=first.hash, caller=None, agrees=False, note='a "b",\nc'
    )
    second = linked(review, Head(1, first.hash))
    third = linked(MissedRecord(answers=2, since=now()), Head(2, second.hash))
    return [first, second, third]


def test_json_lines_can_be_verified_by_anyone() -> None:
    """The recipe of docs/audit.md, with nothing of ours."""
    out = StringIO()
    head = export(links(), out, "jsonl")
    previous = GENESIS
    for line in out.getvalue().splitlines():
        record = json.loads(line)
        sealed = record.pop("hash")
        assert record.pop("previous") == previous
        body = json.dumps(record, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()
        assert previous == sealed
    assert head == Head(3, previous)


def test_csv_holds_every_field_and_no_formula() -> None:
    out = StringIO()
    export(links(), out, "csv")
    answer_row, review_row, gap_row = csv.DictReader(StringIO(out.getvalue()))
    assert answer_row["caller"] == "'=1+1"
    assert answer_row["gate_reasons"] == "too_blurred no_tissue"
    assert float(answer_row["margin"]) == answer().margin
    assert (review_row["agrees"], review_row["note"]) == ("False", 'a "b",\nc')
    assert gap_row["answers"] == "2"


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_broken_log_is_not_given_a_head(form: Literal["jsonl", "csv"]) -> None:
    first, _, third = links()
    with pytest.raises(AuditBroken):
        export([first, third], StringIO(), form)
