"""`healer serve` with the fake engine, which does as a folder says: `… server FOLDER GRACE`.

Its self-test aside, it scores only while there is no file `wait` in it, and goes on writing only
while there is no `mute`. GRACE is in seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from healer.cli import serve
from healer.engines.base import Answer, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.sandbox.loader import open_image_loader
from healer.server import uvicorn_server
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine


class FileControlledEngine(FakeEngine):
    def __init__(self, folder: Path) -> None:
        self._wait, self._mute = folder / "wait", folder / "mute"
        self._tested = False

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        while self._tested and self._wait.exists():
            time.sleep(0.005)
        self._tested = True
        return super().score(tiles)

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        first, *rest = super().explain(evidence, answer)
        yield first
        while self._mute.exists():
            time.sleep(0.005)
        yield from rest


def main(folder: str, grace: str) -> None:
    uvicorn_server.GRACE_SECONDS = int(grace)
    settings = Settings(gate="off")
    app = create_app(settings, engine=FileControlledEngine(Path(folder)))
    app.state.image_loader = open_image_loader(settings)
    serve.run(app, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
