"""Who may ask."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from healer.settings.names import LocalPath

# Plain HTTP is for this machine only: whoever can alter the answer could let anyone in.
ADDRESS = r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s]*)?)$"


class AccessSettings(BaseModel):
    api_keys_file: LocalPath | None = Field(
        default=None,
        description=(
            "File of the API keys that callers need; `healer keys add NAME` makes one. See "
            "docs/access.md."
        ),
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Issuer whose identity tokens (OpenID Connect) callers may send instead.",
    )
    oidc_audience: str | None = Field(
        default=None,
        description="Whom those tokens must be meant for: this service's name there, or several "
        "by comma.",
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Where the issuer's public keys are, where it does not say so itself.",
    )
    oidc_header: str = Field(
        default="Authorization",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that holds the token; Google's IAP uses `X-Goog-IAP-JWT-Assertion`.",
    )
    unauthenticated: Literal["checked-in-front", "anyone-may-ask"] | None = Field(
        default=None,
        description=(
            "Serve others than this machine without asking who they are: because something in "
            "front does (`checked-in-front`), or because it is meant (`anyone-may-ask`)."
        ),
    )
    rate_limit: str | None = Field(
        default=None,
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour|day)$",
        description=(
            "Images that one caller (one key, one identity, or else one address) may send, such as "
            "`60/minute`; none by default."
        ),
    )
    trusted_hosts: str = Field(
        default="",
        pattern=r"^((\*\.)?[\w.-]+(,(\*\.)?[\w.-]+)*)?$",
        description=(
            "Comma-separated names (`pathology.example.org`, `*.example.org`) that callers may "
            "call this service by; any by default."
        ),
    )
    cors_origins: str = Field(
        default="",
        pattern=r"^(https?://[\w.-]+(:\d+)?(,https?://[\w.-]+(:\d+)?)*)?$",
        description=(
            "Comma-separated origins (`https://pathology.example.org`) whose pages may ask from a "
            "browser. None by default: Healer serves its own page."
        ),
    )
