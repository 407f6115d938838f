"""From a dataset's own classes to yes, no, or left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from healer.errors import LabelUnknown
from healer.evaluation.known import KNOWN
from healer.files.encoding import escaped

NUMBERED = re.compile(r"^\d+[-_ ]+")


def plain(label: str) -> str:
    """A class's name whatever its spelling: `01_TUMOR` is `tumor`, `High-grade IN` a slug."""
    text = unicodedata.normalize("NFC", escaped(label.strip()))
    return re.sub(r"[\s_]+", "-", NUMBERED.sub("", text)).casefold()


@dataclass(frozen=True, slots=True)
class Mapping:
    """`yes` and `ignore` as a person names them; empty means what Healer knows."""

    yes: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    @classmethod
    def of(cls, yes: Iterable[str], ignore: Iterable[str]) -> Mapping:
        return cls(frozenset(map(plain, yes)), frozenset(map(plain, ignore)))

    def meanings(self, labels: Iterable[str]) -> dict[str, bool | None]:
        """Each label as yes (True), no (False) or left out (None); raises LabelUnknown."""
        found = {label: plain(label) for label in labels}
        absent = (self.yes | self.ignore) - set(found.values())
        unknown = {label for label, name in found.items() if not self._known(name)} | absent
        if unknown:
            raise LabelUnknown(", ".join(sorted(unknown)))
        return {label: self._meaning(name) for label, name in found.items()}

    def names(self, label: str) -> bool:
        """Whether this is a class that is known or asked for."""
        return plain(label) in self.yes | self.ignore | MEANINGS.keys()

    def _known(self, name: str) -> bool:
        return bool(self.yes) or name in self.ignore or name in MEANINGS

    def _meaning(self, name: str) -> bool | None:
        if name in self.ignore:
            return None
        return name in self.yes if self.yes else MEANINGS[name]


MEANINGS: dict[str, bool | None] = {
    plain(label): meaning
    for known in KNOWN.values()
    for meaning, labels in ((True, known.yes), (False, known.no), (None, known.left_out))
    for label in labels
}
