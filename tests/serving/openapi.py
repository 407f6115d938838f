"""Prints the OpenAPI document that `docs/openapi.json` holds: `python -m tests.serving.openapi`."""

from __future__ import annotations

import json
import sys

from healer.config import Settings
from healer.engines.fake import FakeEngine
from healer.main import create_app


def render() -> str:
    app = create_app(Settings(_env_file=None), engine=FakeEngine())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
