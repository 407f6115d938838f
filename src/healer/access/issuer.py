"""The public keys of an issuer of identity tokens (JWKS, RFC 7517), fetched and kept."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWTError

from healer.config import ADDRESS
from healer.errors import IdentityRejected, IdentityUnavailable

log = structlog.get_logger(__name__)

FRESH_SECONDS = 600.0  # until the keys are fetched again
STALE_SECONDS = 3600.0  # until they no longer count where that fails
PAUSE_SECONDS = 30.0  # between fetches, whatever callers send
PATIENCE_SECONDS = 5.0  # for one answer of the issuer
DISCOVERY = "/.well-known/openid-configuration"

Clock = Callable[[], float]


class IssuerKeys:
    """Every method may be called from any thread; `key` blocks while it fetches."""

    def __init__(self, issuer: str, jwks_url: str | None, clock: Clock = time.monotonic) -> None:
        self._issuer, self._jwks_url, self._clock = issuer, jwks_url, clock
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched: float | None = None  # when they were last fetched
        self._tried: float | None = None  # when that was last tried
        self._trouble: str | None = None

    def key(self, kid: str) -> PyJWK:
        """Raises IdentityRejected where the issuer has no such key, IdentityUnavailable where that
        cannot be known."""
        if not self._within(self._fetched, FRESH_SECONDS) or kid not in self._keys:
            self._renew(kid)
        if not self._within(self._fetched, STALE_SECONDS):
            raise IdentityUnavailable("the issuer's keys cannot be fetched")
        if found := self._keys.get(kid):
            return found
        if self._trouble:  # it may be a new one
            raise IdentityUnavailable("the issuer's keys cannot be fetched")
        raise IdentityRejected("the issuer has no key of its name")

    def warnings(self) -> list[str]:
        return [f"the keys of {self._issuer} cannot be fetched"] if self._trouble else []

    def _within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < seconds

    def _renew(self, kid: str) -> None:
        # Whoever can go on with what is there does not wait for it.
        if not self._lock.acquire(blocking=kid not in self._keys):
            return
        try:
            if not self._within(self._tried, PAUSE_SECONDS):
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        try:
            self._keys = _signing_keys(_json_at(self._jwks_url or self._discovered()))
        except (PyJWTError, HTTPException, OSError, ValueError) as error:
            self._trouble = type(error).__name__
            log.error("issuer's keys", issuer=self._issuer, reason=str(error))
        else:
            self._trouble, self._fetched = None, self._clock()
        self._tried = self._clock()

    def _discovered(self) -> str:
        found = _json_at(self._issuer.rstrip("/") + DISCOVERY)
        url = found.get("jwks_uri")
        if found.get("issuer") != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        if not isinstance(url, str) or not re.fullmatch(ADDRESS, url):
            raise ValueError("the discovery document names no usable jwks_uri")
        return url


def _json_at(url: str) -> dict[str, Any]:
    found = PyJWKClient(url, cache_jwk_set=False, timeout=PATIENCE_SECONDS).fetch_data()
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
