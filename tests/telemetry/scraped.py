"""An application after every event its metrics count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import numpy as np
from fastapi import FastAPI
from starlette.testclient import TestClient

from healer.engines.base import Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.screening.calibration import GATE_FIGURES, Reference, reference_beside
from healer.settings.loading import Settings
from healer.telemetry.drift import LEAST
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

SECRET = "Doe_Jane_1970"  # noqa: S105 - a name, as it may stand in any field


class FailingOnBlack(FakeEngine):
    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if any(not tile.pixels.any() for tile in tiles):
            raise RuntimeError(SECRET)
        return [replace(evidence, stages={"infer": 0.001}) for evidence in super().score(tiles)]


def reference() -> Reference:
    """Of nothing real: margins and figures spread evenly from -100 to 100."""
    even = np.linspace(-100, 100, 200).tolist()
    figures = dict.fromkeys(GATE_FIGURES, even)
    made = Reference.of(FakeEngine.info, "even", even, figures)
    assert made is not None
    return made


def application(folder: Path) -> FastAPI:
    calibration = folder / "mine.json"
    reference_beside(calibration).write_text(reference().model_dump_json(), encoding="utf-8")
    slides, results = folder / "slides", folder / "results"
    slides.mkdir(exist_ok=True)
    settings = Settings(
        gate="warn", calibration=str(calibration), slides=slides, results=results, _env_file=None
    )
    return create_app(settings, engine=FailingOnBlack())


def scraped(folder: Path, answers: int = LEAST, accept: str = "") -> str:
    """What `/metrics` says after answers, refusals and a failure."""
    with TestClient(application(folder)) as client:
        wait_until_ready(client)
        for _ in range(answers):
            assert predict(client).status_code == 200
        predict(client, {"gate": "refuse"})
        predict(client, colour="black")
        predict(client, data=b"no image")
        client.get(f"/{SECRET}", headers={"X-Request-ID": SECRET, "User-Agent": SECRET})
        return str(client.get("/metrics", headers={"Accept": accept}).text)


def predict(
    client: TestClient,
    fields: dict[str, str] | None = None,
    *,
    colour: str = "pink",
    data: bytes | None = None,
) -> httpx.Response:
    sent = {"image_file": (f"{SECRET}.png", png(colour) if data is None else data)}
    response: httpx.Response = client.post(
        "/predict", files=sent, data=fields, headers={"X-Request-ID": SECRET}
    )
    return response
