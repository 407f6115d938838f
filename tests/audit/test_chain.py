from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from healer.audit.chain import GENESIS, Head, Link, canonical, linked, seal, verify
from healer.audit.records import MissedRecord, Opinion, ReviewRecord, now
from healer.errors import AnchorMissing, AuditBroken
from tests.audit.answers import answer


def chain(count: int = 5) -> list[Link]:
    links: list[Link] = []
    head = Head()
    for number in range(count):
        links.append(linked(answer(f"r{number}"), head))
        head = Head(links[-1].sequence, links[-1].hash)
    return links


def test_the_seal_is_what_the_documentation_says() -> None:
    (first,) = chain(1)
    assert first.hash == hashlib.sha256(f"{'0' * 64}\n{first.body}".encode()).hexdigest()
    assert seal(GENESIS, '{"a":1}') == (
        "f21735afd2cd6af4fc5804b0045cebfd545aef8396d29d030c39cb8880b45b7f"  # by sha256sum
    )


def test_a_body_is_canonical_and_holds_everything() -> None:
    (first,) = chain(1)
    content = json.loads(first.body)
    assert canonical(content) == first.body
    assert first.body.isascii()
    assert content["sequence"] == 1
    assert content["time"].endswith("Z")
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"margin": float("nan")})


def test_a_whole_chain_is_counted() -> None:
    links = chain(3)
    gap = linked(MissedRecord(answers=4, since=now()), Head(3, links[-1].hash))
    found = verify([*links, gap], anchor=links[1].hash)
    assert found.head == Head(4, gap.hash)
    assert found.kinds == {"answer": 3, "gap": 1}
    assert (found.missed, found.anchored) == (4, 2)
    assert verify([]).head == Head(0, GENESIS)


def resealed(link: Link, **changes: object) -> Link:
    body = canonical({**link.content, **changes})
    return dataclasses.replace(link, body=body, hash=seal(link.previous, body))


def altered(links: list[Link], at: int, how: str) -> list[Link]:
    link = links[at]
    if how == "body":
        links[at] = dataclasses.replace(link, body=link.body.replace('"yes"', '"no"'))
    elif how == "resealed":
        links[at] = resealed(link, verdict="no")
    elif how == "renumbered":
        links[at] = resealed(link, sequence=9)
    elif how == "column":
        columns = {**link.search_columns, "request_id": "x"}
        links[at] = dataclasses.replace(link, search_columns=columns)
    elif how == "no record":
        links[at] = dataclasses.replace(link, body="x", hash=seal(link.previous, "x"))
    elif how == "removed":
        del links[at]
    elif how == "swapped":
        links[at], links[at + 1] = links[at + 1], links[at]
    return links


@pytest.mark.parametrize(
    ("how", "broken", "reason"),
    [
        ("body", 3, "not what was sealed"),
        ("resealed", 4, "does not follow"),
        ("renumbered", 3, "columns differ"),
        ("column", 3, "columns differ"),
        ("no record", 3, "no record"),
        ("removed", 3, "is missing"),
        ("swapped", 3, "is missing"),
    ],
)
def test_the_first_broken_record_is_named(how: str, broken: int, reason: str) -> None:
    with pytest.raises(AuditBroken, match=reason) as caught:
        verify(altered(chain(), 2, how))
    assert caught.value.sequence == broken


def test_a_cut_off_tail_shows_only_by_an_anchor() -> None:
    links = chain()
    anchor = links[-1].hash
    assert verify(links[:3]).head.sequence == 3
    with pytest.raises(AnchorMissing, match="None of the 3 records"):
        verify(links[:3], anchor)


def test_a_rewritten_chain_is_detected_only_by_an_anchor() -> None:
    anchor = chain()[-1].hash
    rewritten = chain()
    assert verify(rewritten).head.sequence == 5
    with pytest.raises(AnchorMissing):
        verify(rewritten, anchor)


@pytest.mark.parametrize("note", ["x" * 501, "a\x00b", "a\x1bb"])
def test_a_note_is_short_and_printable(note: str) -> None:
    with pytest.raises(ValueError, match="note"):
        Opinion(request_id="r", agrees=True, note=note)
    ReviewRecord(request_id="r", answer="a" * 64, caller=None, agrees=True, note="two\nlines, ä")
