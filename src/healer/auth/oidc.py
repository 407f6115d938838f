"""Identity tokens (OpenID Connect), checked by their issuer's public keys (JWKS, RFC 7517)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any

import jwt
import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWTError

from healer.errors.access import IdentityRejected, IdentityUnavailable
from healer.settings.server import ADDRESS

log = structlog.get_logger(__name__)

FRESH_SECONDS = 600.0  # until the keys are fetched again
STALE_SECONDS = 3600.0  # until they no longer count where that fails
PAUSE_SECONDS = 30.0  # between fetches, whatever callers send
TIMEOUT_SECONDS = 5.0  # for one answer of the issuer
DISCOVERY = "/.well-known/openid-configuration"

# Signatures by public keys only: with HS256 the issuer's public key would be the secret.
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
LONGEST_SUBJECT = 255  # OpenID Connect's own limit
LEEWAY_SECONDS = 30  # by which the issuer's clock may differ from ours
REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is meant for another service"),
    (jwt.InvalidIssuerError, "another issuer made it"),
    (jwt.MissingRequiredClaimError, "it lacks one of exp, iat, iss, aud and sub"),
    (jwt.InvalidAlgorithmError, "its algorithm is not accepted"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
)

Clock = Callable[[], float]


class IssuerKeys:
    """Every method may be called from any thread; `key` blocks while it fetches."""

    def __init__(self, issuer: str, jwks_url: str | None, clock: Clock = time.monotonic) -> None:
        self._issuer, self._jwks_url, self._clock = issuer, jwks_url, clock
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched: float | None = None  # when they were last fetched
        self._last_attempt: float | None = None  # when that was last tried
        self._error: str | None = None

    def key(self, kid: str) -> PyJWK:
        """Raises IdentityRejected where the issuer has no such key, IdentityUnavailable where that
        cannot be known."""
        if not self._within(self._fetched, FRESH_SECONDS) or kid not in self._keys:
            self._refresh(kid)
        if not self._within(self._fetched, STALE_SECONDS):
            raise IdentityUnavailable("the issuer's keys cannot be fetched")
        if key := self._keys.get(kid):
            return key
        if self._error:  # it may be a new one
            raise IdentityUnavailable("the issuer's keys cannot be fetched")
        raise IdentityRejected("the issuer has no key of its name")

    def warnings(self) -> list[str]:
        return [f"the keys of {self._issuer} cannot be fetched"] if self._error else []

    def _within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < seconds

    def _refresh(self, kid: str) -> None:
        # A caller whose key is there does not wait for the refresh.
        if not self._lock.acquire(blocking=kid not in self._keys):
            return
        try:
            if not self._within(self._last_attempt, PAUSE_SECONDS):
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        try:
            self._keys = _signing_keys(_json_at(self._jwks_url or self._discovered()))
        except (PyJWTError, HTTPException, OSError, ValueError) as error:
            self._error = type(error).__name__
            log.error("issuer's keys", issuer=self._issuer, reason=str(error))
        else:
            self._error, self._fetched = None, self._clock()
        self._last_attempt = self._clock()

    def _discovered(self) -> str:
        found = _json_at(self._issuer.rstrip("/") + DISCOVERY)
        url = found.get("jwks_uri")
        if found.get("issuer") != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        if not isinstance(url, str) or not re.fullmatch(ADDRESS, url):
            raise ValueError("the discovery document names no usable jwks_uri")
        return url


def _json_at(url: str) -> dict[str, Any]:
    found = PyJWKClient(url, cache_jwk_set=False, timeout=TIMEOUT_SECONDS).fetch_data()
    if not isinstance(found, dict):
        raise ValueError("its answer is no JSON object")
    return found


def _signing_keys(found: dict[str, Any]) -> dict[str, PyJWK]:
    keys = PyJWKSet.from_dict(found).keys
    return {
        key.key_id: key
        for key in keys
        # A symmetric key is no public key, whatever a key set says.
        if key.key_id and key.public_key_use in ("sig", None) and key.key_type != "oct"
    }


class TokenVerifier:
    def __init__(
        self,
        issuer: str,
        audiences: Sequence[str],
        jwks_url: str | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._issuer, self._audiences = issuer, list(audiences)
        self._keys = IssuerKeys(issuer, jwks_url, clock)

    def subject(self, token: str) -> str:
        """Who the issuer says it is. Blocks while the issuer's keys are fetched.

        Raises IdentityRejected, in words that repeat nothing of the token, or IdentityUnavailable.
        """
        try:
            subject = str(self._claims(token)["sub"])
        except jwt.PyJWTError as error:
            reason = next((why for kind, why in REASONS if isinstance(error, kind)), None)
            raise IdentityRejected(reason or "it is no well-formed JWT") from None
        if len(subject) > LONGEST_SUBJECT or not subject.isprintable():
            raise IdentityRejected("its subject cannot be written down")
        return subject

    def warnings(self) -> list[str]:
        return self._keys.warnings()

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        if not (kid := header.get("kid")):
            raise IdentityRejected("it does not name its key (kid)")
        return jwt.decode(
            token,
            self._keys.key(kid),
            algorithms=list(ALGORITHMS),
            audience=self._audiences,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
