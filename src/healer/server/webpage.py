"""The page for browsers: what the build wrote to `page/`, or how to get it."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parent / "page"
# Everything from this origin; `blob:` is how a browser names a picture that was dropped.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}
HOW_TO_GET_IT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Healer</title>
<h1>Healer is running, without its page</h1>
<p>The page has not been built here. Install Node.js 20.19 or later, run <code>scripts/page</code>
in the repository, and start Healer again; wheels made after that contain it.</p>
<p>Everything else works without it:
<code>curl -F image_file=@tile.png http://127.0.0.1:8080/predict</code></p>
</html>
"""


class _Assets(StaticFiles):
    """Files whose names carry a hash of their content are cached for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        hashed = path.startswith("assets/")
        lifetime = "public, max-age=31536000, immutable" if hashed else "no-cache"
        response.headers["Cache-Control"] = lifetime
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def page_response(folder: Path = PAGE) -> Response:
    index = folder / "index.html"
    if index.is_file():
        return FileResponse(index, headers=PAGE_HEADERS)
    return HTMLResponse(HOW_TO_GET_IT, headers=PAGE_HEADERS)


def install_page(app: FastAPI, folder: Path = PAGE) -> None:
    if folder.is_dir():
        app.mount("/page", GZipMiddleware(_Assets(directory=folder)), name="page")
