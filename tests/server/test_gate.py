"""What the gate finds, as a client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

EMPTY = png("white", (224, 224))


@pytest.fixture(scope="module")
def gated() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(_env_file=None), engine=FakeEngine())) as client:
        wait_until_ready(client)
        yield client


def predict(client: TestClient, data: bytes, **form: str) -> tuple[int, dict[str, Any]]:
    response = client.post("/predict", files={"image_file": data}, data=form)
    return response.status_code, response.json()


def test_an_empty_field_is_refused_with_its_measured_figures(gated: TestClient) -> None:
    status, problem = predict(gated, EMPTY)
    assert (status, problem["code"]) == (422, "image_not_assessable")
    assert problem["reasons"]
    for reason in problem["reasons"]:
        assert set(reason) == {"code", "measured", "threshold", "sentence"}
        assert reason["sentence"] in problem["detail"]
    assert "gate=warn" in problem["detail"]


def test_warn_gives_the_warning_and_the_answer(gated: TestClient) -> None:
    status, answer = predict(gated, EMPTY, gate="warn")
    assert status == 200
    assert answer["gate"]["passed"] is False
    assert answer["gate"]["warnings"][0]["code"] == predict(gated, EMPTY)[1]["reasons"][0]["code"]


def test_off_does_not_check(gated: TestClient) -> None:
    status, answer = predict(gated, EMPTY, gate="off")
    assert (status, answer["gate"]) == (200, None)


def test_a_wish_that_is_not_known_is_refused(gated: TestClient) -> None:
    status, problem = predict(gated, EMPTY, gate="maybe")
    assert (status, problem["code"], problem["field"]) == (422, "invalid_field", "gate")
    assert "refuse, warn, off" in problem["detail"]


def test_a_real_tile_passes(gated: TestClient, samples: list[Any]) -> None:
    tumour = next(path for path in samples if "TUM" in path.name)
    status, answer = predict(gated, tumour.read_bytes())
    assert status == 200
    assert answer["gate"] == {"passed": True, "warnings": []}


def test_the_operators_default_holds_without_a_field() -> None:
    with TestClient(create_app(Settings(gate="warn"), engine=FakeEngine())) as client:
        wait_until_ready(client)
        assert predict(client, EMPTY)[0] == 200
        assert predict(client, EMPTY, gate="refuse")[0] == 422
