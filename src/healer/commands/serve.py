"""`healer serve`: one process, one port, and a word on what to try."""

from __future__ import annotations

import socket
import sys

import uvicorn

from healer.config import Settings
from healer.errors import InvalidSettings
from healer.main import create_app

GRACE_SECONDS = 30


def serve(settings: Settings) -> None:
    app = create_app(settings)
    listening = bind(settings)
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    sys.stderr.write(what_to_try(settings.host, port))
    uvicorn.Server(config).run(sockets=[listening])


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        reason = f"or HEALER_HOST cannot be used: {where} cannot be served on ({error.strerror})"
        raise InvalidSettings("PORT", reason) from None
    return listening


def what_to_try(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    return (
        f"\nHealer is starting on {url}\n"
        f"  open {url} in a browser, or\n"
        f"  curl -F image_file=@tile.png {url}/predict\n"
        f"  curl {url}/health\n\n"
    )
