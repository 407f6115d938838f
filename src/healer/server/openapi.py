"""The OpenAPI document, completed with what FastAPI cannot infer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from healer.problem import Problem

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
