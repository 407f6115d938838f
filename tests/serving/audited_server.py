"""`healer serve` with the fake engine, and the log that HEALER_AUDIT names."""

from __future__ import annotations

from healer.commands import serve
from healer.config import Settings
from healer.engines.fake import FakeEngine
from healer.main import create_app

if __name__ == "__main__":
    settings = Settings(port=0, gate="off")
    serve.run(create_app(settings, engine=FakeEngine()), settings)
