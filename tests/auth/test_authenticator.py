from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from healer.auth.authenticator import Authenticator, check_reach, open_authenticator
from healer.auth.keys import add_key
from healer.errors import (
    CredentialsMissing,
    HealerError,
    IdentityRejected,
    InvalidSettings,
    KeyRejected,
    RemoteAccessDenied,
)
from healer.settings.loading import Settings, load_settings
from tests.auth.issuers import AUDIENCE, Issuer, issuing

pytestmark = pytest.mark.anyio
HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"
IAP = "X-Goog-IAP-JWT-Assertion"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


async def caller(
    authenticator: Authenticator, local_address: str = ELSEWHERE, **headers: str
) -> str | None:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return await authenticator.caller(named, local_address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "/a"])
async def test_on_this_machine_nobody_needs_a_name(address: str) -> None:
    assert await caller(open_authenticator(Settings()), address) is None


@pytest.mark.parametrize("address", [ELSEWHERE, "10.0.0.1", "::ffff:192.0.2.7", "fe80::1%eth0"])
async def test_remote_requests_are_refused_unless_the_settings_allow_them(address: str) -> None:
    with pytest.raises(RemoteAccessDenied, match="HEALER_API_KEYS_FILE"):
        await caller(open_authenticator(Settings()), address)
    for said in ("checked-in-front", "anyone-may-ask"):
        authenticator = open_authenticator(load_settings(unauthenticated=said))
        assert await caller(authenticator, address) is None
        assert "HEALER_UNAUTHENTICATED" in authenticator.warnings()[0]


async def test_a_key_is_required_wherever_there_are_keys(file: Path) -> None:
    key = add_key(file, "lis", None)
    authenticator = open_authenticator(
        load_settings(api_keys_file=file, unauthenticated="anyone-may-ask")
    )
    for where in (HERE, ELSEWHERE):
        for way in (
            {"authorization": f"Bearer {key}"},
            {"authorization": f"bearer  {key} "},
            {"x_api_key": key},
            {"x_api_key": key, "authorization": "Bearer for.another.one"},  # Cloud Run's own
        ):
            assert await caller(authenticator, where, **way) == "lis"
        with pytest.raises(CredentialsMissing, match="X-API-Key"):
            await caller(authenticator, where)
        for wrong in (
            {"x_api_key": key[:-1]},
            {"x_api_key": f"{key} "[1:], "authorization": f"Bearer {key}"},
            {"authorization": "Bearer x.y.z"},
            {"authorization": f"Basic {key}"},
        ):
            with pytest.raises(KeyRejected):
                await caller(authenticator, where, **wrong)
    assert authenticator.warnings() == []


def oidc(issuer: Issuer, **more: object) -> Settings:
    return load_settings(oidc_issuer=issuer.url, oidc_audience=f"other,{AUDIENCE}", **more)


async def test_a_token_names_its_subject(issuer: Issuer) -> None:
    authenticator = open_authenticator(oidc(issuer))
    assert await caller(authenticator, authorization=f"Bearer {issuer.token()}") == "user-1"
    with pytest.raises(CredentialsMissing, match="identity token in the header Authorization"):
        await caller(authenticator)
    with pytest.raises(IdentityRejected):
        await caller(authenticator, authorization="Bearer x.y.z")


async def test_a_token_may_come_in_a_proxys_own_header(issuer: Issuer) -> None:
    authenticator = open_authenticator(oidc(issuer, oidc_header=IAP))
    assert await caller(authenticator, x_goog_iap_jwt_assertion=issuer.token("b")) == "user-1"
    with pytest.raises(HealerError):
        await caller(authenticator, authorization=f"Bearer {issuer.token()}")


async def test_keys_and_tokens_go_together(issuer: Issuer, file: Path) -> None:
    key = add_key(file, "lis", None)
    authenticator = open_authenticator(oidc(issuer, api_keys_file=file))
    assert await caller(authenticator, authorization=f"Bearer {key}") == "lis"
    assert await caller(authenticator, authorization=f"Bearer {issuer.token()}") == "user-1"
    with pytest.raises(CredentialsMissing, match=r"API key.*or an identity token"):
        await caller(authenticator)


async def test_an_issuer_needs_an_audience(issuer: Issuer) -> None:
    with pytest.raises(InvalidSettings, match="HEALER_OIDC_AUDIENCE must be set"):
        open_authenticator(load_settings(oidc_issuer=issuer.url))


@pytest.mark.parametrize("url", ["http://idp.example.org", "file:///etc/passwd", "idp"])
async def test_an_issuer_over_plain_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="HEALER_OIDC_ISSUER"):
        load_settings(oidc_issuer=url, oidc_audience="a")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "healer.example.org"])  # noqa: S104
async def test_serving_others_unasked_is_refused_in_a_sentence(host: str, file: Path) -> None:
    with pytest.raises(InvalidSettings, match="others can reach a service that asks nobody"):
        check_reach(load_settings(host=host))
    for said in (
        {"unauthenticated": "checked-in-front"},
        {"unauthenticated": "anyone-may-ask"},
        {"api_keys_file": file},
        {"oidc_issuer": "https://idp.example.org"},
    ):
        check_reach(load_settings(host=host, **said))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_serving_this_machine_needs_no_word(host: str) -> None:
    check_reach(load_settings(host=host))


@pytest.mark.parametrize("said", ["yes", "true", "1", "allow"])
async def test_a_mere_yes_does_not_open_it(said: str) -> None:
    with pytest.raises(InvalidSettings, match="HEALER_UNAUTHENTICATED"):
        load_settings(unauthenticated=said)
