"""Hours of the day in which slides may be read, such as 20:00-06:00."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Self

FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """Local time; the end is not in it. Past midnight where `start` is later than `end`."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        found = FORM.fullmatch(text)
        if not found:
            raise ValueError("must be such as 20:00-06:00")
        first, second, third, fourth = map(int, found.groups())
        if (first, second) == (third, fourth):
            raise ValueError("must begin and end at different times")
        return cls(time(first, second), time(third, fourth))

    def holds(self, now: time) -> bool:
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end
