"""Who the caller is: the name of their API key, or the subject of their identity token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from healer.auth.keys import KEY_PREFIX, Keyring
from healer.errors.access import (
    CredentialsMissing,
    KeyRejected,
    OidcLibrariesMissing,
    RemoteAccessDenied,
)
from healer.errors.base import InvalidSettings
from healer.settings.loading import Settings

if TYPE_CHECKING:  # its libraries are an extra
    from healer.auth.oidc import TokenVerifier

KEY_HEADER = "x-api-key"
WARNINGS = {
    "checked-in-front": (
        "Healer asks nobody who they are: HEALER_UNAUTHENTICATED says that something in front of "
        "it does"
    ),
    "anyone-may-ask": (
        "Healer asks nobody who they are: HEALER_UNAUTHENTICATED lets anyone who reaches it ask"
    ),
}


class Authenticator:
    def __init__(
        self,
        settings: Settings,
        keyring: Keyring | None = None,
        identities: TokenVerifier | None = None,
    ) -> None:
        self._keyring, self._identities = keyring, identities
        self._token_header = settings.oidc_header.lower()
        self._unauthenticated = settings.unauthenticated

    async def caller(self, headers: Mapping[str, str], local_address: str) -> str | None:
        """The caller's name; None where none is required. `headers` have lower-case names, and
        `local_address` is the address of ours that the request reached.

        Raises AccessError, or IdentityUnavailable.
        """
        bearer = _bearer(headers.get("authorization", ""))
        key = headers.get(KEY_HEADER) or (bearer if bearer.startswith(KEY_PREFIX) else "")
        if self._keyring is None and self._identities is None:
            if self._unauthenticated is None and is_remote(local_address):
                raise RemoteAccessDenied
            return None
        if self._keyring and key:
            return self._keyring.holder(key)
        if self._identities and (token := _bearer(headers.get(self._token_header, ""))):
            return await asyncio.to_thread(self._identities.subject, token)
        if key or bearer:
            raise KeyRejected
        raise CredentialsMissing(self._accepted())

    def admits_all(self, local_address: str) -> bool:
        """Whether `caller` would be None for any request to that address of ours."""
        if self._keyring is not None or self._identities is not None:
            return False
        return self._unauthenticated is not None or not is_remote(local_address)

    def warnings(self) -> list[str]:
        """What /health should say."""
        if self._keyring is None and self._identities is None:
            return [WARNINGS[self._unauthenticated]] if self._unauthenticated else []
        return [
            *(self._keyring.warnings() if self._keyring else ()),
            *(self._identities.warnings() if self._identities else ()),
        ]

    def _accepted(self) -> str:
        ways = []
        if self._keyring:
            ways.append("an API key in the header Authorization (Bearer hk_...) or X-API-Key")
        if self._identities:
            ways.append(f"an identity token in the header {self._token_header.title()}")
        return ", or ".join(ways)


def open_authenticator(settings: Settings) -> Authenticator:
    """Raises InvalidSettings, KeysUnreadable or OidcLibrariesMissing."""
    keyring = Keyring(settings.api_keys_file) if settings.api_keys_file else None
    return Authenticator(settings, keyring, _identities(settings) if settings.oidc_issuer else None)


def check_reach(settings: Settings) -> None:
    """Raises InvalidSettings where others could reach a service without authentication."""
    known = settings.api_keys_file or settings.oidc_issuer or settings.unauthenticated
    if known or settings.host == "localhost" or not is_remote(settings.host, name=True):
        return
    raise InvalidSettings(
        "HEALER_HOST",
        f"is {settings.host}, where others can reach a service that asks nobody who they are: set "
        "HEALER_API_KEYS_FILE (`healer keys add NAME` makes one) or HEALER_OIDC_ISSUER, or say "
        "HEALER_UNAUTHENTICATED=checked-in-front or anyone-may-ask; docs/access.md has the rest",
    )


@lru_cache(maxsize=64)  # most requests come to one address of ours
def is_remote(address: str, *, name: bool = False) -> bool:
    """Whether other machines can reach an address; `name` is the answer for what is no address: a
    socket's path, or a host's name."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return name
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return not found.is_loopback


def _identities(settings: Settings) -> TokenVerifier:
    if not settings.oidc_issuer or not settings.oidc_audience:
        raise InvalidSettings(
            "HEALER_OIDC_AUDIENCE",
            "must be set with HEALER_OIDC_ISSUER: without it, a token for any service would do",
        )
    try:
        from healer.auth.oidc import TokenVerifier
    except ModuleNotFoundError as missing:
        raise OidcLibrariesMissing(str(missing)) from None
    audiences = settings.oidc_audience.split(",")
    return TokenVerifier(settings.oidc_issuer, audiences, settings.oidc_jwks_url)


def _bearer(value: str) -> str:
    """A credential without its scheme; IAP's header has none."""
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value.strip()
