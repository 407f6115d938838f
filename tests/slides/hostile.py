"""Slide files that lie, loop or end early."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

SHORT, LONG = 3, 4
TIFF_HEADER = struct.pack("<2sHI", b"II", 42, 8)
Tag = tuple[int, int, int, int]  # number, type, count, value or offset


def directory(tags: list[Tag], following: int) -> bytes:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def tiled(width: int, height: int, tile: tuple[int, int] = (16, 16), reduced: int = 0) -> list[Tag]:
    """Of one grey-blue tile, at byte 4096, whatever sizes are claimed."""
    return [
        (254, LONG, 1, reduced),
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, 8),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 2),
        (277, SHORT, 1, 3),
        (322, LONG, 1, tile[0]),
        (323, LONG, 1, tile[1]),
        (324, LONG, 1, 4096),
        (325, LONG, 1, 16 * 16 * 3),
    ]


def with_tile(directories: bytes) -> bytes:
    head = TIFF_HEADER + directories
    return head + bytes(4096 - len(head)) + bytes([120, 130, 200]) * 256


def one_directory(tags: list[Tag], following: int = 0) -> bytes:
    return with_tile(directory(tags, following))


def two_levels(first: list[Tag], second: list[Tag]) -> bytes:
    length = len(directory(first, 0))
    return with_tile(directory(first, 8 + length) + directory(second, 0))


def pointing_to_itself() -> bytes:
    return one_directory(tiled(16, 16), following=8)


def many_directories(count: int) -> bytes:
    """Each a picture of 16 × 16 pixels, without any tile."""
    tags = [(256, LONG, 1, 16), (257, LONG, 1, 16)]
    length = len(directory(tags, 0))
    one = np.frombuffer(directory(tags, 0)[:-4], np.uint8)
    chain = np.empty((count, length), np.uint8)
    chain[:, :-4] = one
    ends = 8 + length * np.arange(1, count + 1, dtype="<u4")
    ends[-1] = 0
    chain[:, -4:] = ends.view(np.uint8).reshape(count, 4)
    return TIFF_HEADER + chain.tobytes()


HOSTILE: dict[str, bytes] = {
    "directories that point to themselves": pointing_to_itself(),
    "a size of zero": one_directory(tiled(0, 16)),
    "a tile of no size": one_directory(tiled(16, 16, (0, 16))),
    "more pixels than any slide": one_directory(tiled(2**31, 2**31)),
    "a tile larger than memory": one_directory(tiled(40_000, 40_000, (40_000, 40_000))),
    "fewer tiles than its size needs": one_directory(tiled(4_000, 4_000)),
    "a level of another shape": two_levels(tiled(16, 16), tiled(1_000, 10, reduced=1)),
    "nothing but a header": TIFF_HEADER,
    "a directory that is not in the file": TIFF_HEADER[:4] + struct.pack("<I", 2**31),
    "noise behind a header": TIFF_HEADER + np.random.default_rng(1).bytes(4096),
    "noise": np.random.default_rng(2).bytes(4096),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "slide.tiff"
    path.write_bytes(content)
    return path
