"""Authentication, authorization, and the HTTP connection."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError, RequestError


@dataclass(eq=False)
class AccessError(RequestError):
    code = "access_refused"
    title = "The request is not let in"
    message = "The request is not let in."


@dataclass(eq=False)
class CredentialsMissing(AccessError):
    accepted: str
    code = "credentials_missing"
    title = "The request does not say who asks"
    message = "Healer answers only callers that it knows. Send {accepted}."


@dataclass(eq=False)
class KeyRejected(AccessError):
    code = "key_rejected"
    title = "The API key is not known"
    message = (
        "The API key is not one of this service's, or was revoked. Check that it was copied "
        "whole, or ask the operator for another."
    )


@dataclass(eq=False)
class KeyExpired(AccessError):
    last_day: str
    code = "key_expired"
    title = "The API key has expired"
    message = "The API key was good until {last_day}. Ask the operator for another."


@dataclass(eq=False)
class IdentityRejected(AccessError):
    reason: str
    code = "identity_rejected"
    title = "The identity token is not accepted"
    message = (
        "The identity token is not accepted: {reason}. Sign in again; if that does not help, the "
        "operator should compare it with HEALER_OIDC_ISSUER and HEALER_OIDC_AUDIENCE."
    )


@dataclass(eq=False)
class RemoteAccessDenied(AccessError):
    code = "not_from_elsewhere"
    title = "Healer answers only on its own machine"
    message = (
        "Healer was reached over the network and has no means of knowing who asks. The operator "
        "should set HEALER_API_KEYS_FILE or HEALER_OIDC_ISSUER, or say with "
        "HEALER_UNAUTHENTICATED that this is meant; docs/access.md says how."
    )


@dataclass(eq=False)
class HostUnknown(AccessError):
    code = "host_unknown"
    title = "The host is not this service's"
    message = (
        "The request's Host header names none of this service's hosts. Use its own address, or "
        "ask the operator to add this one to HEALER_TRUSTED_HOSTS."
    )


@dataclass(eq=False)
class HeadTooLarge(AccessError):
    limit_bytes: int
    limit_fields: int
    code = "head_too_large"
    title = "The request's head is too large"
    message = (
        "Address and headers together may have {limit_bytes:,} bytes in {limit_fields} fields. "
        "Send fewer or shorter ones; cookies are not needed."
    )


@dataclass(eq=False)
class HttpUnreadable(AccessError):
    code = "http_unreadable"
    title = "The request is not HTTP that Healer reads"
    message = (
        "What arrived is no well-formed HTTP/1.1 request. Send plain HTTP here, not HTTPS, unless "
        "something in front of Healer takes it off."
    )


@dataclass(eq=False)
class ClientTooSlow(AccessError):
    seconds: float
    code = "client_too_slow"
    title = "The request came too slowly"
    message = (
        "Too little of the request arrived within {seconds:g} s, so it was cut off. Send it "
        "again over a better connection, or ask the operator to raise HEALER_CLIENT_TIMEOUT."
    )
    retryable = True


@dataclass(eq=False)
class IdentityUnavailable(HealerError):
    reason: str
    code = "identity_unavailable"
    title = "Who asks cannot be checked now"
    message = (
        "The identity token cannot be checked, because {reason}. Nobody is let in unchecked; send "
        "the image again in a moment."
    )
    exit_code = 106
    retryable = True


@dataclass(eq=False)
class OidcLibrariesMissing(HealerError):
    reason: str
    code = "oidc_libraries_missing"
    title = "The libraries for identity tokens are not installed"
    message = (
        "HEALER_OIDC_ISSUER needs libraries that are missing ({reason}). Install them with: "
        "pip install 'healer[oidc]'"
    )
    exit_code = 105


@dataclass(eq=False)
class KeysError(HealerError):
    code = "keys_failed"
    title = "The API keys cannot be used"
    message = "The API keys cannot be used."
    exit_code = 100


@dataclass(eq=False)
class KeysUnreadable(KeysError):
    file: str
    reason: str
    code = "keys_unreadable"
    title = "The file of API keys cannot be read"
    message = (
        "{file} is no file of API keys that Healer can read ({reason}). Make one with "
        "`healer keys add NAME`, or set HEALER_API_KEYS_FILE to the right one."
    )
    exit_code = 101


@dataclass(eq=False)
class KeysNotWritable(KeysError):
    file: str
    reason: str
    code = "keys_not_writable"
    title = "The file of API keys cannot be written"
    message = "{file} cannot be written ({reason}), and is as it was."
    exit_code = 102


@dataclass(eq=False)
class KeyNameTaken(KeysError):
    name: str
    code = "key_name_taken"
    title = "There is a key of this name"
    message = "There is a key named {name}. Choose another name, or revoke that key first."
    exit_code = 103


@dataclass(eq=False)
class KeyUnknown(KeysError):
    name: str
    code = "key_unknown"
    title = "There is no key of this name"
    message = "There is no key named {name}. `healer keys list` shows the names."
    exit_code = 104
