"""An issuer of identity tokens: real keys, behind a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://healer.example.org"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(_name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Issuer:
    """`keys` are those published; set `down` and every answer is a 500."""

    url: str = ""
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    extra: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False
    named: str | None = None  # in the discovery document, in place of itself
    fetches: list[str] = field(default_factory=list)

    def document(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.named or self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            return {"keys": [*(published(*each) for each in self.keys.items()), *self.extra]}
        return None

    def token(self, kid: str = "a", key: PrivateKey | None = None, **changes: Any) -> str:  # noqa: ANN401
        """Signed with its key's algorithm; a claim that is None is left out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user-1",
            "iat": now,
            "exp": now + 600,
            **changes,
        }
        key = key or self.keys[kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, key, algorithm, headers={"kid": kid})


def published(kid: str, key: PrivateKey) -> dict[str, Any]:
    public = key.public_key()
    kind = RSAAlgorithm if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm
    document: dict[str, Any] = json.loads(kind.to_jwk(public))  # type: ignore[arg-type]
    return {**document, "kid": kid, "use": "sig"}


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer(keys={"a": rsa_key("a"), "b": ec_key("b")})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches.append(self.path)
            document = issuer.document(self.path)
            self.send_response(500 if issuer.down else 200 if document else 404)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
