"""Prints the OpenAPI document that `docs/openapi.json` holds: `python -m tests.server.openapi`."""

from __future__ import annotations

import json
import sys

from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine


def render() -> str:
    app = create_app(Settings(_env_file=None), engine=FakeEngine())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
