"""`/docs`: the contract to read and to try out, in Swagger UI, with nothing from elsewhere.

The files are of the package fastapi-swagger. A browser runs them only where they are, to the byte,
those that Swagger UI's makers published (swagger-ui-dist 5.34.0), whose digests are below.
"""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

ASSETS = "fastapi_swagger.resources"
DIGESTS = {
    "swagger-ui-bundle.js": "sha256-P2q/cEgNt+B5FN9MmKdzhfIupYXq9Fej5kFboOri0Wc=",
    "swagger-ui.css": "sha256-w8/oJIxLC4lnNgD7gpkk6vusbeS8SysG9fUkNIMHTQo=",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
# Addresses are relative: Healer may stand below another one.
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Healer's contract</title>
<link rel="stylesheet" href="docs/swagger-ui.css" integrity="{DIGESTS["swagger-ui.css"]}">
<main id="contract"><p>The contract is also at <a href="openapi.json">openapi.json</a>.</p></main>
<script src="docs/swagger-ui-bundle.js" integrity="{DIGESTS["swagger-ui-bundle.js"]}"></script>
<script src="docs/start.js"></script>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#contract",
  validatorUrl: null,
  persistAuthorization: false,
});
"""

documentation_router = APIRouter(include_in_schema=False)


@documentation_router.get("/docs")
async def docs() -> Response:
    return HTMLResponse(PAGE, headers=HEADERS)


@documentation_router.get("/docs/start.js")
async def start() -> Response:
    return Response(START, media_type="text/javascript", headers=HEADERS)


@documentation_router.get("/docs/swagger-ui-bundle.js")
def script() -> Response:
    return asset("swagger-ui-bundle.js", "text/javascript")


@documentation_router.get("/docs/swagger-ui.css")
def style() -> Response:
    return asset("swagger-ui.css", "text/css")


def asset(name: str, media_type: str) -> Response:
    content = resources.files(ASSETS).joinpath(name).read_bytes()
    return Response(content, media_type=media_type, headers=HEADERS)
