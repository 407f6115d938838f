"""The form of `POST /predict`: every field is listed here, and no other is taken."""

from __future__ import annotations

from typing import Any, get_args

from healer.config import GateMode

FIELD = "image_file"
# OpenAPI schemas by name. All but FIELD are text.
FIELDS: dict[str, dict[str, Any]] = {
    FIELD: {
        "type": "string",
        "format": "binary",
        "description": "One H&E tile: PNG, JPEG, TIFF, WebP or BMP.",
    },
    "gate": {
        "type": "string",
        "enum": list(get_args(GateMode)),
        "description": "What to do with a picture that is no assessable H&E field; the default is "
        "the operator's (HEALER_GATE).",
    },
    "page": {
        "type": "integer",
        "minimum": 1,
        "description": "Which page of a TIFF of several, counted from 1; without it, a file of "
        "several pages of full size is refused.",
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [FIELD],
    "properties": FIELDS,
    "additionalProperties": False,
}
