"""Healer's own service before a model that is elsewhere: what its clients and probes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from healer.config import Settings, load_settings
from healer.engines.choice import choose, open_engine
from healer.engines.openai import OpenAIEngine
from healer.errors import InvalidSettings
from healer.main import create_app
from healer.screening.question import COLORECTAL_CANCER
from healer.serving import service
from tests.engines.openai.conftest import Open
from tests.engines.openai.upstream import KEY, MODEL, Upstream
from tests.serving.conftest import png, wait_until_ready


def settings(url: str, folder: Path) -> Settings:
    return Settings.model_validate(
        {"engine": "openai", "engine_url": url, "model_dir": folder, "gate": "off"}
    )


def test_the_engine_is_chosen_by_name_and_address_alone(upstream: Upstream, tmp_path: Path) -> None:
    with_key = settings(upstream.url, tmp_path).model_copy(update={"engine_key": SecretStr(KEY)})
    choice = choose(with_key)
    assert (choice.engine, choice.reason) == ("openai", "HEALER_ENGINE asks for it")
    engine = open_engine(choice, with_key, COLORECTAL_CANCER)
    assert isinstance(engine, OpenAIEngine)
    engine.close()
    assert set(upstream.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("url", ["http://me:pw@there/v1", "http://there/v1?key=pw", "there"])
def test_an_address_with_secrets_or_without_a_scheme_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HEALER_ENGINE_URL", url)
    with pytest.raises(InvalidSettings, match="HEALER_ENGINE_URL cannot be used") as refusal:
        load_settings()
    assert "pw" not in str(refusal.value)


def test_ready_follows_the_upstream(upstream: Upstream, opened: Open) -> None:
    with TestClient(create_app(Settings(gate="off"), engine=opened(upstream))) as client:
        wait_until_ready(client)
        answer = client.post("/predict", files={"image_file": png()}).json()
        assert (answer["verdict"], answer["model"]["engine"]) == ("yes", "openai")
        upstream.cards = []
        lost = client.get("/ready")
        assert (lost.status_code, lost.json()["code"]) == (503, "model_not_ready")
        assert f"no longer lists {MODEL}" in lost.json()["detail"]
        upstream.stop()
        assert "does not answer" in client.get("/ready").json()["detail"]
        refused = client.post("/predict", files={"image_file": png()})
        assert (refused.status_code, refused.json()["code"]) == (503, "upstream_unreachable")
        assert client.get("/health").status_code == 200


def test_an_upstream_that_starts_later_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(service, "ABSENT_SECONDS", 0.05)
    with (
        Upstream(cards=[]) as upstream,
        TestClient(create_app(settings(upstream.url, tmp_path))) as client,
    ):
        while "lists nothing" not in (reason := client.get("/ready").json()["detail"]):
            assert "loading" in reason or "started" in reason
        upstream.cards = [{"id": MODEL}]
        wait_until_ready(client)
