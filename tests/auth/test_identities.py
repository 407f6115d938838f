from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from healer.auth.oidc import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, TokenVerifier
from healer.errors import IdentityRejected, IdentityUnavailable
from tests.auth.issuers import AUDIENCE, Issuer, ec_key, issuing, rsa_key


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def identities(issuer: Issuer, clock: Clock | None = None) -> TokenVerifier:
    return TokenVerifier(issuer.url, ["elsewhere", AUDIENCE], None, clock or Clock())


@pytest.mark.parametrize("kid", ["a", "b"])  # RSA, and EC as Google's IAP has it
def test_whom_the_issuer_vouches_for_is_named(issuer: Issuer, kid: str) -> None:
    assert identities(issuer).subject(issuer.token(kid)) == "user-1"


def test_the_keys_may_be_at_an_address_that_was_set(issuer: Issuer) -> None:
    found = TokenVerifier(issuer.url, [AUDIENCE], f"{issuer.url}/keys")
    assert found.subject(issuer.token()) == "user-1"
    assert issuer.fetches == ["/keys"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"nbf": int(time.time()) + 86_400}, "not valid yet"),
        ({"iat": int(time.time()) + 86_400}, "not valid yet"),
        ({"aud": "https://other.example.org"}, "meant for another service"),
        ({"iss": "https://evil.example.org"}, "another issuer"),
        ({"sub": None}, "lacks one of"),
        ({"sub": 7}, "no well-formed JWT"),
        ({"sub": "a\0b"}, "cannot be written down"),  # nor by PostgreSQL
        ({"sub": "a" * 256}, "cannot be written down"),
        ({"exp": None}, "lacks one of"),
        ({"aud": None}, "lacks one of"),
        ({"iat": None}, "lacks one of"),
    ],
)
def test_what_it_vouches_for_otherwise_is_refused(
    issuer: Issuer, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(IdentityRejected, match=why):
        identities(issuer).subject(issuer.token(**changes))


def test_a_clock_that_differs_a_little_is_forgiven(issuer: Issuer) -> None:
    now = int(time.time())
    token = issuer.token(exp=now - 10, nbf=now - 20)
    assert identities(issuer).subject(token) == "user-1"


def test_another_key_of_the_same_name_is_refused(issuer: Issuer) -> None:
    with pytest.raises(IdentityRejected, match="signature is wrong"):
        identities(issuer).subject(issuer.token("a", rsa_key("another")))


def test_a_signature_taken_off_or_altered_is_refused(issuer: Issuer) -> None:
    head, claims, signature = issuer.token().split(".")
    known = identities(issuer)
    for altered in ("", "SIGNATURE_REMOVED_BY_GOOGLE", signature[::-1]):
        with pytest.raises(IdentityRejected):
            known.subject(f"{head}.{claims}.{altered}")


def test_no_algorithm_and_a_shared_secret_are_refused(issuer: Issuer) -> None:
    secret = "s" * 32
    issuer.extra.append({"kty": "oct", "kid": "c", "k": "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M"})
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    known = identities(issuer)
    for kid in ("a", "c"):
        for algorithm, key in (("none", ""), ("HS256", secret)):
            token = jwt.encode(claims, key, algorithm, headers={"kid": kid})
            with pytest.raises(IdentityRejected, match="algorithm is not accepted"):
                known.subject(token)


def test_an_algorithm_other_than_its_keys_is_refused(issuer: Issuer) -> None:
    token = issuer.token("a", ec_key("b"))  # ES256, by the name of the RSA key
    with pytest.raises(IdentityRejected):
        identities(issuer).subject(token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "ä.ö.ü", "." * 5000])
def test_what_is_no_token_is_refused_and_not_repeated(issuer: Issuer, token: str) -> None:
    with pytest.raises(IdentityRejected) as refused:
        identities(issuer).subject(token)
    assert len(token) < 2 or token not in str(refused.value)


def test_keys_are_fetched_once_and_again_when_they_are_old(issuer: Issuer) -> None:
    clock = Clock()
    known = identities(issuer, clock)
    for _ in range(3):
        known.subject(issuer.token())
    assert issuer.fetches.count("/keys") == 1
    clock.now += FRESH_SECONDS
    known.subject(issuer.token())
    assert issuer.fetches.count("/keys") == 2


def test_a_new_key_is_fetched_when_it_is_first_used(issuer: Issuer) -> None:
    clock = Clock()
    known = identities(issuer, clock)
    known.subject(issuer.token())
    issuer.keys = {"new": ec_key("new")}
    clock.now += PAUSE_SECONDS
    assert known.subject(issuer.token("new")) == "user-1"
    with pytest.raises(IdentityRejected, match="no key of its name"):
        known.subject(issuer.token("a", rsa_key("a")))  # taken back by the issuer


def test_made_up_keys_do_not_cause_a_request_to_the_issuer_each_time(issuer: Issuer) -> None:
    clock = Clock()
    known = identities(issuer, clock)
    for number in range(50):
        with pytest.raises(IdentityRejected, match="no key of its name"):
            known.subject(issuer.token(f"made-up-{number}", ec_key("b")))
    assert issuer.fetches.count("/keys") == 1
    clock.now += PAUSE_SECONDS
    with pytest.raises(IdentityRejected):
        known.subject(issuer.token("made-up", ec_key("b")))
    assert issuer.fetches.count("/keys") == 2


def test_nobody_is_admitted_while_the_issuer_cannot_be_reached(issuer: Issuer) -> None:
    clock = Clock()
    known = identities(issuer, clock)
    issuer.down = True
    for _ in range(3):
        with pytest.raises(IdentityUnavailable):
            known.subject(issuer.token())
    assert len(issuer.fetches) == 1  # it is not hammered
    assert issuer.url in known.warnings()[0]
    issuer.down = False
    clock.now += PAUSE_SECONDS
    assert known.subject(issuer.token()) == "user-1"
    assert known.warnings() == []


def test_keys_that_were_fetched_count_for_a_while(issuer: Issuer) -> None:
    clock = Clock()
    known = identities(issuer, clock)
    known.subject(issuer.token())
    issuer.down = True
    clock.now += STALE_SECONDS - 1
    assert known.subject(issuer.token()) == "user-1"
    assert known.warnings()
    with pytest.raises(IdentityUnavailable):  # which may be a new key: that cannot be known
        known.subject(issuer.token("new", ec_key("new")))
    clock.now += 1
    with pytest.raises(IdentityUnavailable):
        known.subject(issuer.token())


def test_a_discovery_document_of_another_issuer_is_not_believed(issuer: Issuer) -> None:
    issuer.named = "https://evil.example.org"
    with pytest.raises(IdentityUnavailable):
        identities(issuer).subject(issuer.token())
    assert "/keys" not in issuer.fetches
