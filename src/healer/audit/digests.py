"""Two names for a picture, neither of which shows it.

The file's digest finds a record from the very file that was sent. The pixels' digest says what the
model was shown: it still finds the record where only metadata was removed, and it tells a decoder
that changed from an engine that changed.
"""

from __future__ import annotations

import hashlib

import numpy as np

from healer.imaging.tile import Tile


def of_file(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_pixels(tile: Tile) -> str:
    """SHA-256 of `HEIGHTxWIDTH` and a line feed, then the RGB bytes row by row."""
    digest = hashlib.sha256(f"{tile.height}x{tile.width}\n".encode())
    digest.update(np.ascontiguousarray(tile.pixels).data)
    return digest.hexdigest()
