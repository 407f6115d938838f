"""How fast tiles are answered, measured."""

from __future__ import annotations

import math

WEIGHT = 0.2  # of the newest measurement
LONGEST = 3600


class Pace:
    """Seconds of a lane's time a tile takes; the first measurement is the self-test's."""

    def __init__(self) -> None:
        self.seconds = 1.0
        self._measured = False

    def took(self, seconds: float, tiles: int) -> None:
        each = seconds / tiles
        self.seconds += (WEIGHT if self._measured else 1.0) * (each - self.seconds)
        self._measured = True

    def retry_after(self, tiles: int, lanes: int) -> int:
        """Whole seconds, at least 1, until `tiles` will have been answered by `lanes`."""
        return min(LONGEST, max(1, math.ceil(self.seconds * tiles / max(1, lanes))))
