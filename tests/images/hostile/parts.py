"""Good tiles, and the means to spoil them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO

import numpy as np
from PIL import Image

ANSWERED = "answered"
FILLED_IN = "damage that the decoder fills in"  # and does not report
SLOW = (ANSWERED, "image_too_costly")  # as the machine is
SIDE = 96
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
LOSSLESS: dict[str, dict[str, object]] = {"WEBP": {"lossless": True}}
EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "WEBP": "webp", "BMP": "bmp"}
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file. `outcomes` are the codes it may be refused with, or ANSWERED."""

    group: str
    name: str
    make: Callable[[], bytes]
    outcomes: tuple[str, ...]
    filename: str = "tile.png"


Corpus = Iterator[Hostile]


def case(
    group: str, name: str, outcomes: str | tuple[str, ...], make: Callable[..., bytes], *of: object
) -> Hostile:
    """A file that is made only on request: `make(*of)`."""
    return Hostile(
        group, name, partial(make, *of), (outcomes,) if isinstance(outcomes, str) else outcomes
    )


def tissue(side: int = SIDE, seed: int = 7) -> Image.Image:
    """Pink and violet blobs: what compresses about as well as a tile does."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (side // 8, side // 8), np.uint8)
    shade = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    light = np.asarray(shade, np.float32)[..., None] / 255
    stain = light * (240, 190, 215) + (1 - light) * (110, 60, 140)
    grain = chance.normal(0, 4, (side, side, 3))
    return Image.fromarray((stain + grain).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def good(format: str) -> bytes:  # noqa: A002
    """A tile without a fault."""
    return encode(tissue(), format, **LOSSLESS.get(format, {}))


def flat(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height))


def noise(size: int, seed: int = 7) -> bytes:
    return np.random.default_rng(seed).bytes(size)


@cache
def deflated_zeros(megabytes: int) -> bytes:
    """That many, in a thousandth of the space."""
    packer = zlib.compressobj(9)
    block = bytes(MEGABYTE)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def chunk(kind: bytes, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A PNG chunk, with a true checksum."""
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
