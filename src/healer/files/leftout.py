"""What a walk left out: counted by reason, so that a person and a program can be told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from healer.display import examples

MOST_EXAMPLES = 3


class Reason(StrEnum):
    HIDDEN = "hidden"
    SYSTEM = "system"
    OTHER_FORMAT = "other_format"
    NOT_A_FILE = "not_a_file"
    LINK_LOOP = "link_loop"
    LINKED_TWICE = "linked_twice"
    UNREADABLE = "unreadable"
    MASK = "mask"
    NO_CLASS = "no_class"


SENTENCES = {
    Reason.HIDDEN: ("hidden file", "hidden files"),
    Reason.SYSTEM: ("file of the system's own", "files of the system's own"),
    Reason.OTHER_FORMAT: ("file in another format", "files in other formats"),
    Reason.NOT_A_FILE: ("entry that is no regular file", "entries that are no regular files"),
    Reason.LINK_LOOP: (
        "linked folder that leads back to a folder around it",
        "linked folders that lead back to a folder around them",
    ),
    Reason.LINKED_TWICE: (
        "linked folder that is read under another name",
        "linked folders that are read under other names",
    ),
    Reason.UNREADABLE: ("folder that cannot be opened", "folders that cannot be opened"),
    Reason.MASK: ("picture in a folder of masks", "pictures in folders of masks"),
    Reason.NO_CLASS: ("picture outside the class folders", "pictures outside the class folders"),
}


@dataclass(slots=True)
class LeftOut:
    """`counts` by reason; `pictures` are those among them that would have been tiles by their
    name; `examples` are names, or endings of names."""

    counts: Counter[Reason] = field(default_factory=Counter)
    pictures: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, list[str]] = field(default_factory=dict)

    def add(self, reason: Reason, example: str, count: int = 1, pictures: int = 0) -> None:
        if count:
            self.counts[reason] += count
            self.pictures[reason] += pictures
            self._name(reason, example)

    def update(self, other: LeftOut) -> None:
        self.counts.update(other.counts)
        self.pictures.update(other.pictures)
        for reason, names in other.examples.items():
            for name in names:
                self._name(reason, name)

    def _name(self, reason: Reason, example: str) -> None:
        """One more than are shown, which stands for all that follow."""
        named = self.examples.setdefault(reason, [])
        if example not in named and len(named) <= MOST_EXAMPLES:
            named.append(example)

    def __bool__(self) -> bool:
        return self.counts.total() > 0

    def as_json(self) -> dict[str, int]:
        return {str(reason): self.counts[reason] for reason in Reason if self.counts[reason]}

    def __str__(self) -> str:
        """One line, or nothing where nothing was left out."""
        parts = [self._part(reason) for reason in Reason if self.counts[reason]]
        return f"Left out: {'; '.join(parts)}." if parts else ""

    def _part(self, reason: Reason) -> str:
        count, pictures = self.counts[reason], self.pictures[reason]
        words = f"{count:,} {SENTENCES[reason][count != 1]}"
        if pictures and count == 1:
            words += ", a picture"
        elif pictures:
            words += f", {pictures:,} of them {'a picture' if pictures == 1 else 'pictures'}"
        return f"{words} ({examples(self.examples[reason], MOST_EXAMPLES)})"
