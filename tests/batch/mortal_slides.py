"""`healer slide` whose workers are killed by what they are shown: `python -m
tests.batch.mortal_slides SLIDES OUT X Y ADDRESS`.

The first block kills the first worker that reads it; a tile of normal.tiff at X, Y every one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from healer.batch import slides
from healer.batch.slides import SlideBlock, SlideWorker
from healer.cli import app
from healer.slides.scoring import TileResult

OUT = Path(sys.argv[2]).absolute()
PLACE = tuple(map(int, sys.argv[3:5]))


class Mortal(SlideWorker):
    def _results(self, block: SlideBlock) -> list[TileResult]:
        places = {(area.x, area.y) for area in block.areas}
        poisoned = block.source.path.name == "normal.tiff" and PLACE in places
        if poisoned or self._is_first():
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._results(block)

    def _is_first(self) -> bool:
        try:
            OUT.with_name("seen").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


if __name__ == "__main__":
    slides.SlideWorker = Mortal  # type: ignore[misc]
    slides.ATTEMPTS, slides.BLOCK_TILES = 2, 4  # type: ignore[attr-defined]
    app(["slide", sys.argv[1], "--out", str(OUT), "--ray-address", sys.argv[5]])
