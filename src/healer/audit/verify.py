"""Is every record there, in order, as it was written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from healer.audit.chain import Head, Link, checked
from healer.errors import AnchorMissing


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
