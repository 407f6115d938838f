"""Archives of small pictures that no gate would let pass."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from healer.batch.parts import encoded
from healer.settings.loading import Settings

UNGATED = Settings(engine="builtin", gate="off")


def picture(red: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), (red, 90, 120), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def folder_of(folder: Path, count: int) -> Path:
    folder.mkdir()
    for at in range(count):
        (folder / f"{at:04}.png").write_bytes(picture(at % 256))
    return folder


def index_of(file: Path, names: Iterable[str]) -> Path:
    file.write_text("\n".join(["path", *names]) + "\n", encoding="utf-8")
    return file


def parquet_of(file: Path, columns: dict[str, Any], group: int = 1000) -> Path:
    pq.write_table(pa.table(columns), file, row_group_size=group)
    return file


def part_of(rows: range) -> bytes:
    return encoded(
        {"row": row, "path": f"{row}.png", "verdict": "no", "probability": 0.1} for row in rows
    )
