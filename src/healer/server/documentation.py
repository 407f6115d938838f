"""The OpenAPI document, completed with what FastAPI cannot infer, and `/docs`: the same in Swagger
UI, with nothing from elsewhere.

The files are of the package fastapi-swagger. A browser runs them only where they are, to the byte,
those that Swagger UI's makers published (swagger-ui-dist 5.34.0), whose digests are below.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse

from healer.problem import Problem

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


EXAMPLE: dict[str, Any] = {
    "prediction": "Yes. Read as cancer. Most likely classes: adenocarcinoma 93 %, "
    "high-grade neoplasia 4 %.",
    "verdict": "yes",
    "probability": 0.93,
    "calibrated": False,
    "explanation": "Read as cancer. Most likely classes: adenocarcinoma 93 %, "
    "high-grade neoplasia 4 %.",
    "reason": None,
    "findings": [{"name": "adenocarcinoma", "probability": 0.93}],
    "tile": {"width": 224, "height": 224, "mpp": None},
    "model": {
        "engine": "builtin",
        "id": "healer/builtin-crc",
        "revision": "0f3c",
        "device": "cpu",
        "dtype": "float32",
        "quantization": "none",
        "adapter": None,
        "calibration": None,
        "thresholds": {"lower": 0.5, "upper": 0.5},
    },
    "timings_ms": {"receive": 1.2, "decode": 2.1, "score": 14.0, "explain": 0.1, "total": 17.9},
    "request_id": "6f2d1c",
}


SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or an identity token; which of them, the operator decides.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
# The empty one: some services know their callers by other means, or serve one machine only.
SECURITY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"key": []}]


def install_openapi(app: FastAPI) -> None:
    inferred = app.openapi

    def completed() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(inferred())
        return app.openapi_schema or {}

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(mode="serialization")
    document["components"]["securitySchemes"] = SCHEMES
    for path in ("/predict", "/reviews"):
        document["paths"][path]["post"]["security"] = SECURITY
    notice = schemas["Prediction"]["properties"]["notice"]["default"]
    answer = document["paths"]["/predict"]["post"]["responses"]["200"]
    answer["content"]["application/json"]["example"] = {**EXAMPLE, "notice": notice}
