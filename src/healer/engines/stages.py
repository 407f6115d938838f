"""How long each stage of a look took: `Evidence.stages`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Ended = Callable[[str], None]  # told each stage's name when it ends


class Stages(dict[str, float]):
    """Seconds by stage, for each of the tiles that are looked at together."""

    def __init__(self, tiles: Sequence[object]) -> None:
        super().__init__()
        self._tiles = max(1, len(tiles))
        self._since = time.perf_counter()

    def ended(self, stage: str) -> None:
        """It began where the one before it ended."""
        now = time.perf_counter()
        self[stage] = (now - self._since) / self._tiles
        self._since = now


def unheard(_stage: str) -> None:
    pass
