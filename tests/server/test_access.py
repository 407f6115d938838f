from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from healer.auth.keys import add_key, revoke_key
from healer.main import create_app
from healer.settings.loading import Settings, load_settings
from tests.auth.issuers import AUDIENCE, Issuer, ec_key, issuing
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready

ORIGIN = "https://pathology.example.org"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def key(file: Path) -> str:
    return add_key(file, "lis", None)


def serving(base_url: str = "http://testserver", **settings: Any) -> TestClient:  # noqa: ANN401
    app = create_app(load_settings(gate="off", **settings), engine=FakeEngine())
    return TestClient(app, base_url=base_url)


@pytest.fixture
def client(file: Path, key: str) -> Iterator[TestClient]:  # noqa: ARG001 - the file must be there
    with serving(api_keys_file=file, cors_origins=ORIGIN) as client:
        wait_until_ready(client)
        yield client


def predict(client: TestClient, **headers: str) -> Any:  # noqa: ANN401 - the test client's own
    return client.post("/predict", files={"image_file": png()}, headers=headers)


def test_without_a_key_nobody_is_answered_and_the_refusal_is_whole(client: TestClient) -> None:
    refused = predict(client, **{"X-Request-ID": "r-1", "Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == 'Bearer realm="healer"'
    assert refused.headers["x-request-id"] == "r-1"
    assert refused.headers["access-control-allow-origin"] == ORIGIN  # so that a page can read it
    assert refused.headers["cache-control"] == "no-store"
    problem = refused.json()
    assert (problem["code"], problem["request_id"]) == ("credentials_missing", "r-1")


def test_with_a_key_the_answer_comes(client: TestClient, key: str) -> None:
    assert predict(client, Authorization=f"Bearer {key}").json()["verdict"] in ("yes", "no")
    assert predict(client, **{"X-API-Key": key}).status_code == 200


def test_a_wrong_key_is_refused_and_not_repeated(client: TestClient) -> None:
    wrong = "hk_" + "A" * 43
    refused = predict(client, Authorization=f"Bearer {wrong}")
    assert (refused.status_code, refused.json()["code"]) == (401, "key_rejected")
    assert refused.headers["www-authenticate"] == 'Bearer realm="healer", error="invalid_token"'
    assert wrong not in refused.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predict"),
        ("POST", "/predict/"),
        ("POST", "/reviews"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
        ("OPTIONS", "/predict"),
    ],
)
def test_what_is_not_named_as_open_is_closed(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/health", "/ready", "/openapi.json", "/docs", "/docs/start.js"]
)
def test_what_says_nothing_of_an_image_is_open(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_below_the_page_nothing_else_is_reached(client: TestClient) -> None:
    for path in ("/page/", "/page/x", "/page/%2e%2e/predict", "/page/../predict"):
        assert client.post(path).status_code in (401, 404, 405)


def test_a_page_from_elsewhere_may_send_its_key(client: TestClient) -> None:
    preflight = client.options(
        "/predict",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-api-key",
        },
    )
    assert preflight.status_code == 200
    assert "X-API-Key" in preflight.headers["access-control-allow-headers"]


def test_a_revoked_key_is_refused_at_once(client: TestClient, file: Path, key: str) -> None:
    assert predict(client, Authorization=f"Bearer {key}").status_code == 200
    revoke_key(file, "lis")
    assert predict(client, Authorization=f"Bearer {key}").status_code == 401
    assert any("healer keys add" in warning for warning in client.get("/health").json()["warnings"])


def test_a_broken_file_of_keys_is_reported(client: TestClient, file: Path, key: str) -> None:
    file.write_text("{")
    assert predict(client, Authorization=f"Bearer {key}").status_code == 200
    assert any("cannot be read" in warning for warning in client.get("/health").json()["warnings"])


def test_who_reviewed_is_in_the_log(file: Path, key: str, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'audit.db'}"
    with serving(api_keys_file=file, audit=store) as client:
        wait_until_ready(client)
        given = {"Authorization": f"Bearer {key}"}
        answer = predict(client, **given).json()
        assert answer["recorded"] is True
        review = {"request_id": answer["request_id"], "agrees": True}
        assert client.post("/reviews", json=review, headers=given).status_code == 201
    log = (tmp_path / "audit.db").read_bytes()
    assert len(re.findall(rb'"caller": ?"lis"', log)) == 2


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


def test_an_identity_that_cannot_be_checked_is_a_503(issuer: Issuer) -> None:
    settings = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    issuer.down = True
    with serving(**settings) as client:
        refused = predict(client, Authorization=f"Bearer {issuer.token()}")
    assert (refused.status_code, refused.json()["code"]) == (503, "identity_unavailable")
    assert refused.headers["retry-after"] == "5"


def test_a_listed_identity_is_admitted_and_another_is_not(issuer: Issuer) -> None:
    with serving(oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as client:
        wait_until_ready(client)
        assert predict(client, Authorization=f"Bearer {issuer.token()}").status_code == 200
        forged = issuer.token("b", ec_key("forged"))
        refused = predict(client, Authorization=f"Bearer {forged}")
    assert (refused.status_code, refused.json()["code"]) == (401, "identity_rejected")
    assert forged not in refused.text


def test_one_key_is_slowed_and_others_are_not(file: Path, key: str) -> None:
    other = add_key(file, "archive", None)
    with serving(api_keys_file=file, rate_limit="2/day") as client:
        wait_until_ready(client)
        first, second, third = (predict(client, **{"X-API-Key": key}) for _ in range(3))
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.headers["ratelimit-policy"] == '"caller";q=2;w=86400'
        assert first.headers["ratelimit"].startswith('"caller";r=1;t=')
        assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
        assert int(third.headers["retry-after"]) == third.json()["retry_after"] > 0
        assert predict(client, **{"X-API-Key": other}).status_code == 200
        assert client.get("/health").status_code == 200
        review = client.post("/reviews", json={}, headers={"X-API-Key": key})
        assert review.status_code != 429  # it needs no model


def test_without_keys_the_address_counts() -> None:
    with serving(rate_limit="1/day") as client:
        wait_until_ready(client)
        assert [predict(client).status_code for _ in range(2)] == [200, 429]


def test_a_server_that_knows_no_host_refuses_callers_from_elsewhere() -> None:
    with serving("http://192.0.2.7") as client:
        refused = predict(client)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_from_elsewhere")
        assert client.get("/health").status_code == 200
    with serving("http://192.0.2.7", unauthenticated="anyone-may-ask") as client:
        wait_until_ready(client)
        assert predict(client).status_code == 200
        assert "lets anyone" in client.get("/health").json()["warnings"][0]


def test_a_service_without_any_of_it_is_as_before() -> None:
    with TestClient(create_app(Settings(gate="off"), engine=FakeEngine())) as client:
        wait_until_ready(client)
        answer = predict(client)
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
