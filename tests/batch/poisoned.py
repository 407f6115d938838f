"""A run whose workers are killed by what they are shown: `python -m tests.batch.poisoned
FOLDER OUTPUT ADDRESS`.

`once.png` kills the first worker that reads it, `poison.png` every one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from healer.batch import cluster
from healer.batch.run import BatchRun
from healer.batch.worker import Block, BlockWorker
from healer.cli.predict import predict_archive
from tests.batch.tiles import UNGATED


class Mortal(BlockWorker):
    def __call__(self, block: Block) -> dict[str, Any]:
        names = block["names"]
        if "poison.png" in names or ("once.png" in names and self._is_new("once.png")):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(block)

    def _is_new(self, name: str) -> bool:
        (tile,) = self._setup.source.tiles(0, [name])
        assert isinstance(tile, Path)
        try:
            tile.with_suffix(".seen").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


if __name__ == "__main__":
    cluster.BlockWorker = Mortal  # type: ignore[attr-defined]
    cluster.ATTEMPTS = 2
    predict_archive(BatchRun(UNGATED, Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
