from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from healer.config import Settings, load_settings
from healer.engines.fake import FakeEngine
from healer.errors import InvalidSettings
from healer.main import create_app

OURS, THEIRS = "https://pathology.example.org", "https://elsewhere.example.org"
ALLOWED = "access-control-allow-origin"


def asked(origins: str, origin: str) -> str | None:
    client = TestClient(create_app(Settings(cors_origins=origins), engine=FakeEngine()))
    return client.get("/health", headers={"Origin": origin}).headers.get(ALLOWED)


def test_no_page_from_elsewhere_may_ask() -> None:
    assert asked("", OURS) is None


def test_pages_that_were_named_may_ask_and_no_others() -> None:
    assert asked(f"{OURS},http://localhost:5173", OURS) == OURS
    assert asked(OURS, THEIRS) is None


@pytest.mark.parametrize("origins", ["*", "pathology.example.org", f"{OURS}/page", f"{OURS},"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("HEALER_CORS_ORIGINS", origins)
    with pytest.raises(InvalidSettings, match="HEALER_CORS_ORIGINS"):
        load_settings()
