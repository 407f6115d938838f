"""The second answer, the rule and the calibration's standing, as a client sees them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from healer.main import create_app
from healer.screening.opening import SHIPPED
from healer.screening.screener import known_tile
from healer.settings.loading import Settings
from tests.server.conftest import png, wait_until_ready


@pytest.fixture(scope="module")
def builtin() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(_env_file=None, engine="builtin"))) as client:
        wait_until_ready(client)
        yield client


def predict(client: TestClient, data: bytes, **form: str) -> dict[str, Any]:
    response = client.post("/predict", files={"image_file": data}, data=form)
    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def test_an_answer_carries_the_second_answer_and_its_rule(
    builtin: TestClient, samples: list[Any]
) -> None:
    tumour = next(path for path in samples if "TUM" in path.name)
    answer = predict(builtin, tumour.read_bytes())
    second = answer["second_answer"]
    assert set(second) == {"question", "verdict", "probability", "calibrated", "mark", "sentence"}
    assert second["question"] == "dysplasia-or-cancer-1"
    assert second["probability"] >= answer["probability"]
    assert "30 % of high-grade neoplasia" in answer["headline_rule"]
    assert "calibrated on known cases." in answer["headline_rule"]
    assert (answer["warnings"], answer["windows"]) == ([], None)


def test_where_the_gate_advised_against_it_nothing_is_calibrated(builtin: TestClient) -> None:
    assert SHIPPED.is_file()
    blank = png("white", (224, 224))
    answer = predict(builtin, blank, gate="warn")
    assert answer["gate"]["passed"] is False
    assert answer["calibrated"] is False
    assert answer["model"]["calibration"] is not None


def test_where_the_gate_passed_it_is_calibrated(builtin: TestClient, samples: list[Any]) -> None:
    tumour = next(path for path in samples if "TUM" in path.name)
    assert predict(builtin, tumour.read_bytes(), gate="warn")["calibrated"] is True


def test_an_engine_without_class_probabilities_has_none(client: TestClient) -> None:
    answer = predict(client, png())
    assert answer["second_answer"] is None
    assert answer["headline_rule"] is None


def test_a_wide_field_is_read_window_by_window(builtin: TestClient) -> None:
    buffer = BytesIO()
    Image.fromarray(known_tile(1400).pixels[:500]).save(buffer, "PNG")
    answer = predict(builtin, buffer.getvalue(), gate="off")
    warning, unlike = answer["warnings"]  # what is drawn is no tissue
    assert unlike["code"] == "unlike_training"
    assert set(warning) == {"code", "measured", "threshold", "sentence"}
    assert (warning["code"], warning["measured"], warning["threshold"]) == ("wide_field", 700, 650)
    assert answer["calibrated"] is False
    assert "two overlapping windows" in answer["headline_rule"]
    for window in answer["windows"]:
        assert set(window) == {"x", "y", "width", "height", "probability", "verdict"}
        assert 0 <= window["x"] <= 1400 - window["width"]
        assert 0 <= window["y"] <= 500 - window["height"]
    assert max(each["probability"] for each in answer["windows"]) >= answer["probability"]


def test_the_verdict_event_carries_it_too(builtin: TestClient, samples: list[Any]) -> None:
    tumour = next(path for path in samples if "TUM" in path.name)
    events = builtin.post(
        "/predict",
        files={"image_file": tumour.read_bytes()},
        headers={"Accept": "text/event-stream"},
    ).text
    verdict = events.split("event: verdict")[1].split("event:")[0]
    assert '"question":"dysplasia-or-cancer-1"' in verdict
