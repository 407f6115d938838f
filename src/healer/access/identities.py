"""Identity tokens (OpenID Connect): JWTs that an issuer signed for this service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import jwt

from healer.access.issuer import Clock, IssuerKeys
from healer.errors import IdentityRejected

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


class Identities:
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
