"""The modules in which something ran for one POST /predict, once the service was ready.

Started by `scripts.measure` in a process of its own, so that every thread is watched from its start
and any revision's package can be measured: it uses nothing but `create_app` and HTTP.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import threading
import time
from types import FrameType

import numpy as np
from PIL import Image
from starlette.testclient import TestClient


def picture() -> bytes:
    """Noise in the colours of H&E; what it shows does not matter."""
    noise = np.random.default_rng(0).normal(0, 20, (224, 224, 3))
    pixels = (noise + np.array([200, 140, 180])).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Crossed:
    """Collects the modules of `package` in which a function is called, while it is `on`."""

    def __init__(self, package: str) -> None:
        self.prefix = f"{package}."
        self.on = False
        self.modules: set[str] = set()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG002
        if self.on and event == "call":
            name = frame.f_globals.get("__name__", "")
            if name.startswith(self.prefix) and frame.f_code.co_name != "<module>":
                self.modules.add(name)


def wait_until_ready(client: TestClient, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while (answer := client.get("/ready")).status_code != 200:
        if time.monotonic() > until:
            raise SystemExit(f"not ready after {seconds} s: {answer.text}")
        time.sleep(0.1)


def trace(package: str) -> list[str]:
    crossed = Crossed(package)
    threading.setprofile(crossed)
    sys.setprofile(crossed)
    app = importlib.import_module(f"{package}.main").create_app()
    with TestClient(app) as client:
        wait_until_ready(client)
        crossed.on = True
        answer = client.post("/predict", files={"image_file": ("tile.png", picture(), "image/png")})
        crossed.on = False
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code}: {answer.text}")
    return sorted(crossed.modules)


if __name__ == "__main__":
    print(json.dumps(trace(sys.argv[1])))  # noqa: T201 - read by `scripts.measure`
