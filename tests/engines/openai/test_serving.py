"""Healer's own service before a model that is elsewhere: what its clients and probes receive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from healer.engines.openai import engine
from healer.engines.openai.engine import OpenAIEngine
from healer.engines.registry import ENGINES
from healer.errors import InvalidSettings
from healer.main import create_app
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.calibration import Binding
from healer.screening.opening import choose_engine
from healer.server import service as service_module
from healer.server import upstream_probe
from healer.settings.loading import Settings, load_settings
from tests.engines.openai.upstream import KEY, MODEL, Upstream
from tests.engines.openai.upstream import answered as refusing
from tests.screening.test_calibration import SAMPLE, saved
from tests.server.conftest import png, wait_until_ready

ANOTHER: list[dict[str, object]] = [{"id": MODEL, "owned_by": "us", "root": "/models/another"}]


def settings(url: str, folder: Path) -> Settings:
    return Settings.model_validate(
        {"engine": "openai", "engine_url": url, "model_dir": folder, "gate": "off"}
    )


def test_the_engine_is_chosen_by_name_and_address_alone(upstream: Upstream, tmp_path: Path) -> None:
    with_key = settings(upstream.url, tmp_path).model_copy(update={"engine_key": SecretStr(KEY)})
    choice = choose_engine(with_key)
    assert (choice.engine, choice.reason) == ("openai", "HEALER_ENGINE asks for it")
    opened = ENGINES[choice.engine].open(with_key, COLORECTAL_CANCER)
    assert isinstance(opened, OpenAIEngine)
    opened.close()
    assert set(upstream.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("url", ["http://me:pw@there/v1", "http://there/v1?key=pw", "there"])
def test_an_address_with_secrets_or_without_a_scheme_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HEALER_ENGINE_URL", url)
    with pytest.raises(InvalidSettings, match="HEALER_ENGINE_URL cannot be used") as refusal:
        load_settings()
    assert "pw" not in str(refusal.value)


@pytest.fixture
def client(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """Of a service that probes without pauses; it takes a calibration that lies in `tmp_path`."""
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(engine, "MODEL_LIST_SECONDS", 0)
    monkeypatch.setattr(upstream_probe, "FRESH_SECONDS", 0)
    with TestClient(create_app(settings(upstream.url, tmp_path))) as client:
        wait_until_ready(client)
        yield client


def answered(client: TestClient) -> dict[str, Any]:
    response = client.post("/predict", files={"image_file": png()})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def wait_until_reported(client: TestClient, words: str) -> None:
    """Why it is not ready."""
    sentence = ""
    for _ in range(2000):
        response = client.get("/ready")
        sentence = "" if response.status_code == 200 else response.json()["detail"]
        if words in sentence:
            return
    raise AssertionError(sentence)


def test_ready_follows_the_upstream(upstream: Upstream, client: TestClient) -> None:
    answer = answered(client)
    assert (answer["verdict"], answer["model"]["engine"]) == ("yes", "openai")
    cards, upstream.cards = upstream.cards, []
    lost = client.get("/ready")
    assert (lost.status_code, lost.json()["code"]) == (503, "model_not_ready")
    assert f"no longer lists {MODEL}" in lost.json()["detail"]
    wait_until_reported(client, "it lists nothing")
    upstream.cards = cards
    wait_until_ready(client)
    assert answered(client)["model"] == answer["model"]


def test_a_server_that_is_gone_is_reported_and_waited_for(
    upstream: Upstream, client: TestClient
) -> None:
    upstream.stop()
    wait_until_reported(client, "does not answer")
    refused = client.post("/predict", files={"image_file": png()})
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream_unreachable")
    assert client.get("/health").status_code == 200


def test_another_model_is_probed_before_it_answers(upstream: Upstream, client: TestClient) -> None:
    former = answered(client)["model"]["revision"]
    upstream.cards = ANOTHER
    refused = client.post("/predict", files={"image_file": png()})
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream_changed")
    assert "Retry-After" in refused.headers
    wait_until_ready(client)
    assert answered(client)["model"]["revision"] != former


@pytest.mark.parametrize("named", [False, True])
def test_a_model_without_its_calibration_is_not_taken_for_one_that_has_it(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.05)
    chosen = settings(upstream.url, tmp_path)
    path = fitted(chosen, tmp_path)
    if named:
        chosen = chosen.model_copy(update={"calibration": str(path)})
    with TestClient(create_app(chosen)) as client:
        wait_until_ready(client)
        former = answered(client)
        assert former["calibrated"] is True
        cards, upstream.cards = upstream.cards, ANOTHER
        wait_until_reported(client, f"{path.name} is for revision {former['model']['revision']}")
        upstream.cards = cards
        wait_until_ready(client)
        assert answered(client)["model"] == former["model"]
        upstream.cards = ANOTHER
        wait_until_reported(client, f"{path.name} is for revision")
        fitted(chosen, tmp_path)
        wait_until_ready(client)
        assert answered(client)["calibrated"] is True


def fitted(chosen: Settings, folder: Path) -> Path:
    """A calibration for what is served now."""
    opened = ENGINES[choose_engine(chosen).engine].open(chosen, COLORECTAL_CANCER)
    opened.close()
    return saved(folder, SAMPLE.model_copy(update={"binding": Binding.of(opened.info)}))


def test_an_upstream_that_starts_later_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.05)
    with (
        Upstream(cards=[]) as upstream,
        TestClient(create_app(settings(upstream.url, tmp_path))) as client,
    ):
        while "lists nothing" not in (reason := client.get("/ready").json()["detail"]):
            assert "loading" in reason or "started" in reason
        upstream.cards = [{"id": MODEL}]
        wait_until_ready(client)


def test_a_key_that_is_rejected_while_it_serves_is_not_waited_for(
    upstream: Upstream, client: TestClient
) -> None:
    upstream.faults.append(refusing(401))
    refused = client.post("/predict", files={"image_file": png()})
    assert (refused.status_code, refused.json()["code"]) == (502, "upstream_key_rejected")
    assert "retry-after" not in refused.headers
    assert refused.json()["retryable"] is False
