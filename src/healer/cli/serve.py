"""`healer serve`: one process, one port, and a hint on what to try."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from healer.cli.common import EngineOption, exit_on_error, settings_with
from healer.errors.base import InvalidSettings
from healer.settings.loading import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on (HEALER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one (PORT).")] = None,
    engine: EngineOption = None,
) -> None:
    """Serve the page and the HTTP API."""
    from healer.auth.authenticator import check_reach
    from healer.main import create_app

    with exit_on_error():
        settings = settings_with(host=host, port=port, engine=engine)
        check_reach(settings)
        run(create_app(settings), settings)


def run(app: FastAPI, settings: Settings) -> None:
    """Serve `app` until SIGINT or SIGTERM."""
    from sse_starlette.sse import AppStatus

    from healer.server.uvicorn_server import DrainingServer, config_of, write_to_stderr

    listening = bind(settings)
    port = listening.getsockname()[1]
    AppStatus.enable_automatic_graceful_drain = False  # it would cut answers off in mid-stream
    write_to_stderr(what_to_try(settings.host, port))
    DrainingServer(config_of(app, settings), app.state.service).run(sockets=[listening])


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a port in use is reported at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named, or asyncio would leave Nagle's algorithm on, and each answer 40 ms on its way.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
