"""`healer serve` with the fake engine, and the log that HEALER_AUDIT names."""

from __future__ import annotations

from healer.cli import serve
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine

if __name__ == "__main__":
    settings = Settings(port=0, gate="off")
    serve.run(create_app(settings, engine=FakeEngine()), settings)
