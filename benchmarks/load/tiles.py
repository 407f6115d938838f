"""Real tiles (EBHI-Seg), as forms that are ready to send."""

from __future__ import annotations

import base64
import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("HEALER_TEST_DATA", REPOSITORY.parent / "shared" / "data")).resolve()
BOUNDARY = "healer-load"


def paths(data: Path, count: int) -> list[Path]:
    """`count` different tiles, spread over the classes; all of them where there are fewer."""
    folder = data / "ebhi-seg"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as index:
        every = [folder / line["path"] for line in csv.DictReader(index)]
    return every[:: max(1, len(every) // count)][:count]


@dataclass(frozen=True, slots=True)
class Form:
    """A request's body, whole."""

    body: bytes
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}"

    @classmethod
    def of(cls, data: bytes) -> Form:
        head = (
            f"--{BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="image_file"; filename="tile"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        return cls(head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode())

    @classmethod
    def in_json(cls, data: bytes) -> Form:
        """As LitServe takes it."""
        fields = json.dumps({"image": base64.b64encode(data).decode()})
        return cls(fields.encode(), "application/json")
