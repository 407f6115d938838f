from __future__ import annotations

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from healer.errors import InvalidSettings
from healer.main import create_app
from healer.settings.loading import Settings, load_settings
from tests.fake_engine import FakeEngine
from tests.server.test_predict import refusal

OURS, THEIRS = "https://pathology.example.org", "https://elsewhere.example.org"
ALLOWED = "access-control-allow-origin"


def allowed_origin(origins: str, origin: str) -> str | None:
    client = TestClient(create_app(Settings(cors_origins=origins), engine=FakeEngine()))
    return client.get("/health", headers={"Origin": origin}).headers.get(ALLOWED)


def test_no_other_origin_may_send_requests() -> None:
    assert allowed_origin("", OURS) is None


def test_allowed_origins_may_send_requests_and_no_others() -> None:
    assert allowed_origin(f"{OURS},http://localhost:5173", OURS) == OURS
    assert allowed_origin(OURS, THEIRS) is None


@pytest.mark.parametrize("origins", ["*", "pathology.example.org", f"{OURS}/page", f"{OURS},"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("HEALER_CORS_ORIGINS", origins)
    with pytest.raises(InvalidSettings, match="HEALER_CORS_ORIGINS"):
        load_settings()


def preflight(origins: str, **headers: str) -> httpx.Response:
    client = TestClient(create_app(Settings(cors_origins=origins), engine=FakeEngine()))
    allowed_origin = {"Origin": OURS, "Access-Control-Request-Method": "POST", **headers}
    answer: httpx.Response = client.options("/predict", headers=allowed_origin)
    return answer


REQUESTED_HEADERS = "Access-Control-Request-Headers"
DOCUMENTED = ["authorization", "x-api-key", "x-request-id", "x-request-timeout", "traceparent"]


@pytest.mark.parametrize("header", DOCUMENTED)
def test_every_documented_header_may_be_sent(header: str) -> None:
    answer = preflight(OURS, **{REQUESTED_HEADERS: f"content-type, {header}"})
    assert answer.status_code == 200
    assert answer.headers[ALLOWED] == OURS


def test_so_may_the_header_that_the_operator_named_for_tokens() -> None:
    settings = Settings(cors_origins=OURS, oidc_header="X-Token")
    client = TestClient(create_app(settings, engine=FakeEngine()))
    allowed_origin = {
        "Origin": OURS,
        "Access-Control-Request-Method": "POST",
        REQUESTED_HEADERS: "x-token",
    }
    assert client.options("/predict", headers=allowed_origin).status_code == 200


def test_every_documented_header_may_be_read() -> None:
    client = TestClient(create_app(Settings(cors_origins=OURS), engine=FakeEngine()))
    answer = client.get("/health", headers={"Origin": OURS})
    exposed = set(answer.headers["access-control-expose-headers"].lower().split(", "))
    assert {"retry-after", "x-request-id", "ratelimit", "ratelimit-policy", "allow"} <= exposed


@pytest.mark.parametrize(
    ("origins", "headers", "part"),
    [
        (THEIRS, {}, "origin"),
        ("", {}, "origin"),
        (OURS, {"Access-Control-Request-Method": "DELETE"}, "method"),
        (OURS, {REQUESTED_HEADERS: "x-whatever"}, "headers"),
        (THEIRS, {REQUESTED_HEADERS: "x-whatever"}, "origin, headers"),
    ],
)
def test_a_preflight_that_fails_says_why_and_what_to_do(
    origins: str, headers: dict[str, str], part: str
) -> None:
    answer = preflight(origins, **headers)
    problem = refusal(answer, 400, "preflight_refused")
    assert problem["part"] == part
    assert "HEALER_CORS_ORIGINS" in problem["detail"]
    assert answer.headers.get(ALLOWED) == (None if "origin" in part else OURS)
