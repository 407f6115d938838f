"""`healer serve` with an engine that explains only once a file is there: `… slow_server FILE`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from healer.cli import serve
from healer.engines.base import Answer, Evidence
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine


class WaitingEngine(FakeEngine):
    tested = False

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if not self.tested:  # the self-test, before it is ready
            self.tested = True
            yield from super().explain(evidence, answer)
            return
        first, *rest = super().explain(evidence, answer)
        yield first
        while not Path(sys.argv[1]).exists():
            time.sleep(0.01)
        yield from rest


if __name__ == "__main__":
    settings = Settings(port=0, gate="off")
    serve.run(create_app(settings, engine=WaitingEngine()), settings)
