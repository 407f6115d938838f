"""One picture in each coding that tifffile, imagecodecs and Pillow write, and its right pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.images.hostile.parts import encode, tissue

HEIGHT, WIDTH = 75, 90  # a multiple of no strip or tile
LOSSLESS = ("none", "lzw", "deflate", "packbits", "zstd", "lzma", "png", "jpeg2000", "aperio_rgb",
            "webp", "jpegxl", "lerc", "jpegxr")  # fmt: skip
COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "deflate": {"compression": "zlib"},
    "jpeg2000": {"compression": "jpeg2000", "compressionargs": {"level": 0}},
    "aperio_rgb": {"compression": 33005, "compressionargs": {"level": 0}},
    "webp": {"compression": "webp", "compressionargs": {"lossless": True}},
    "jpegxl": {"compression": "jpegxl", "compressionargs": {"lossless": True}},
    "jpegxr": {"compression": "jpegxr", "compressionargs": {"level": 100}},
}
PACKED = ("none", "lzw", "deflate", "packbits", "zstd", "lzma")
LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips of 16 rows": {"rowsperstrip": 16},
    "tiles": {"tile": (32, 48)},
}


@dataclass(frozen=True, slots=True)
class Coded:
    """`pixels` is what a viewer shows, RGB, to within `tolerance` levels anywhere, and 8 on average
    (another channel, an inverted or a scrambled picture is tens away)."""

    name: str
    data: bytes
    pixels: NDArray[np.uint8]
    tolerance: int = 0


def shown() -> NDArray[np.uint8]:
    return np.asarray(tissue(96).crop((0, 0, WIDTH, HEIGHT)))


def sixteen(samples: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return samples.astype(np.uint16) * 257


def grey() -> NDArray[np.uint8]:
    return shown()[..., 1].copy()


def in_grey(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(levels[..., None], 3, axis=2)


def written(samples: NDArray[Any], **options: Any) -> bytes:  # noqa: ANN401 - tifffile's own
    """By tifffile, without a note of its own."""
    buffer = BytesIO()
    options = {"photometric": "rgb", "metadata": None, **options}
    with tifffile.TiffWriter(
        buffer, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("bigtiff", False)
    ) as writer:
        writer.write(samples, **options)
    return buffer.getvalue()


def codings() -> Iterator[Coded]:
    yield from compressed()
    yield from containers()
    yield from depths()
    yield from reversed_bits()
    yield from subsampled()
    yield from padded()
    yield from with_further_samples()
    yield from inks_and_palettes()
    yield from by_pillow()
    yield from lossy()


def options_of(compression: str) -> dict[str, Any]:
    return COMPRESSIONS.get(compression, {"compression": compression})


def compressed() -> Iterator[Coded]:
    for compression, (layout, how) in product(LOSSLESS, LAYOUTS.items()):
        data = written(shown(), **options_of(compression), **how)
        yield Coded(f"RGB, {compression}, {layout}", data, shown())
    for compression in ("lzw", "deflate", "zstd"):
        data = written(shown(), **options_of(compression), predictor=True, rowsperstrip=16)
        yield Coded(f"RGB, {compression}, predictor", data, shown())


def containers() -> Iterator[Coded]:
    kinds = product("<>", (False, True), ("none", "lzw", "jpeg2000"), (np.uint8, np.uint16))
    for (order, big, compression, depth), plan in product(kinds, ("contig", "separate")):
        samples = shown() if depth == np.uint8 else sixteen(shown())
        laid = samples if plan == "contig" else np.ascontiguousarray(samples.transpose(2, 0, 1))
        for layout, how in LAYOUTS.items():
            options = {**options_of(compression), **how, "planarconfig": plan}
            data = written(laid, byteorder=order, bigtiff=big, **options)
            size = "BigTIFF" if big else "TIFF"
            name = f"{size}{order}, {np.dtype(depth)}, {compression}, {plan}, {layout}"
            yield Coded(name, data, shown())


def reversed_bits() -> Iterator[Coded]:
    """FillOrder 2: bytes begin with their last bit."""
    for compression, kind in product(("none", "lzw", "deflate"), ("uint8", "uint16")):
        samples: NDArray[Any] = shown() if kind == "uint8" else sixteen(shown())
        data = written(samples, **options_of(compression))
        planar = struct.pack("<HHIHH", 284, 3, 1, 1, 0)  # as it is by default, so it can go
        assert data.count(planar) == 1
        data = data.replace(planar, struct.pack("<HHIHH", 266, 3, 1, 2, 0))
        with tifffile.TiffFile(BytesIO(data)) as file:
            page = file.pages.first
            (start,), (size,) = page.dataoffsets, page.databytecounts
        packed = bytes(imagecodecs.bitorder_encode(data[start : start + size]))
        data = data[:start] + packed + data[start + size :]
        yield Coded(f"{kind} with reversed bits, {compression}", data, shown())


def depths() -> Iterator[Coded]:
    for bits, compression in product((2, 4, 10, 12, 14), ("none",)):
        largest = 2**bits - 1
        levels = grey().astype(np.uint32) * largest // 255
        kind = np.uint8 if bits < 8 else np.uint16
        right = in_grey((levels * 255 // largest).astype(np.uint8))
        data = written(
            levels.astype(kind), photometric="minisblack", bitspersample=bits,
            **options_of(compression),
        )  # fmt: skip
        yield Coded(f"grey, {bits} bits, {compression}", data, right)
    for name, samples in (("8", grey()), ("16", sixteen(grey()))):
        for photometric, compression in product(("minisblack", "miniswhite"), PACKED):
            levels = grey() if photometric == "minisblack" else 255 - grey()
            data = written(samples, photometric=photometric, **options_of(compression))
            yield Coded(f"grey, {name} bits, {photometric}, {compression}", data, in_grey(levels))


def with_further_samples() -> Iterator[Coded]:
    clear = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    clear[:30] = 0
    clear[30:50] = 100
    on_white = (shown() * (clear / 255) + 255 - clear.astype(float)).round().astype(np.uint8)
    multiplied = (shown() * (clear / 255)).round().astype(np.uint8)
    for plan, compression in product(("contig", "separate"), ("none", "lzw", "deflate")):
        how = {**options_of(compression), "planarconfig": plan, "rowsperstrip": 16}
        for kind, colour, right in (
            ("unassalpha", shown(), on_white),
            ("assocalpha", multiplied, on_white),
            ("unspecified", shown(), shown()),
        ):
            samples = np.concatenate([colour, clear], axis=2)
            for depth, deep in (("8", samples), ("16", sixteen(samples))):
                laid = deep if plan == "contig" else np.ascontiguousarray(deep.transpose(2, 0, 1))
                data = written(laid, extrasamples=[kind], **how)
                name = f"RGB and {kind}, {depth} bits, {plan}, {compression}"
                yield Coded(name, data, right, 1)
    four = np.concatenate([shown(), np.zeros_like(clear)], axis=2)
    yield Coded("four samples and no word of them", without_tag(written(four), 338), shown())
    webp = written(np.concatenate([shown(), clear], axis=2), **options_of("webp"),
                   extrasamples=["unassalpha"])  # fmt: skip
    yield Coded("RGBA, webp", webp, on_white, 1)


def without_tag(data: bytes, tag: int) -> bytes:
    """A little-endian classic TIFF whose directory holds another tag, that means nothing, there."""
    entry = tag.to_bytes(2, "little") + (3).to_bytes(2, "little")
    assert data.count(entry) <= 1
    return data.replace(entry, (65_123).to_bytes(2, "little") + (3).to_bytes(2, "little"))


def inks_and_palettes() -> Iterator[Coded]:
    ink = np.asarray(tissue(96).crop((0, 0, WIDTH, HEIGHT)).convert("CMYK"))
    for plan, compression in product(("contig", "separate"), ("none", "lzw")):
        how = {**options_of(compression), "planarconfig": plan, "photometric": "separated"}
        for depth, samples in (("8", ink), ("16", sixteen(ink))):
            laid = samples if plan == "contig" else np.ascontiguousarray(samples.transpose(2, 0, 1))
            data = written(laid, **how, rowsperstrip=16)
            yield Coded(f"CMYK, {depth} bits, {plan}, {compression}", data, shown(), 1)
    few = tissue(96).crop((0, 0, WIDTH, HEIGHT)).quantize(64)
    colours = np.zeros((3, 256), np.uint16)
    listed = np.asarray(few.getpalette() or [], np.uint16).reshape(-1, 3).T
    colours[:, : listed.shape[1]] = listed
    right = np.asarray(few.convert("RGB"))
    for name, scale in (("16-bit", 257), ("8-bit", 1)):
        data = written(np.asarray(few), photometric="palette", colormap=colours * scale)
        yield Coded(f"a palette of {name} values", data, right)


def by_pillow() -> Iterator[Coded]:
    image = tissue(96).crop((0, 0, WIDTH, HEIGHT))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"):
        data = encode(image, "TIFF", compression=compression)
        yield Coded(f"Pillow's RGB, {compression}", data, shown())
    dots = image.convert("1")
    for compression in ("raw", "group3", "group4", "tiff_ccitt", "packbits"):
        data = encode(dots, "TIFF", compression=compression)
        yield Coded(f"Pillow's 1 bit, {compression}", data, np.asarray(dots.convert("RGB")))
    for format_ in ("PNG", "BMP"):
        yield Coded(f"Pillow's {format_}", encode(image, format_), shown())
    yield Coded("Pillow's WebP", encode(image, "WEBP", lossless=True), shown())


def lossy() -> Iterator[Coded]:
    near = 255  # where a tile's padding bleeds in; the mean is what counts
    image = tissue(96).crop((0, 0, WIDTH, HEIGHT))
    ycbcr = np.asarray(image.convert("YCbCr"))
    for layout, how in LAYOUTS.items():
        yield Coded(f"JPEG as RGB, {layout}", written(shown(), **jpeg(), **how), shown(), near)
        for sampling in ((1, 1), (2, 2)):
            data = written(ycbcr, photometric="ycbcr", subsampling=sampling, **jpeg(), **how)
            yield Coded(f"JPEG as YCbCr {sampling}, {layout}", data, shown(), near)
    data = written(grey(), photometric="minisblack", **jpeg())
    yield Coded("JPEG, grey", data, in_grey(grey()), near)
    for mode in ("RGB", "YCbCr"):
        data = encode(image.convert(mode), "TIFF", compression="jpeg", quality=98)
        yield Coded(f"Pillow's {mode} as JPEG in TIFF", data, shown(), near)
    data = encode(image.convert("YCbCr"), "TIFF", compression="raw")
    yield Coded("Pillow's YCbCr", data, shown(), 4)


def jpeg() -> dict[str, Any]:
    """A new one each time: tifffile writes into it."""
    return {"compression": "jpeg", "compressionargs": {"level": 98}}


def subsampled() -> Iterator[Coded]:
    """YCbCr without JPEG, which tifffile does not read: a Cb and a Cr for a block of Ys."""
    coarse = np.kron(shown()[::8, ::8], np.ones((8, 8, 1), np.uint8))[:HEIGHT, :WIDTH]
    planes = np.asarray(Image.fromarray(coarse).convert("YCbCr"))
    for (across, down), (layout, rows), compression, behind in product(
        ((1, 1), (2, 1), (2, 2), (1, 2), (4, 2), (4, 4)),
        (("one strip", HEIGHT), ("strips of 16 rows", 16)),
        (1, 5, 8),
        (b"", b"\xff" * 37),
    ):
        strips = [
            units(planes[top : top + rows], across, down) + (behind if compression == 1 else b"")
            for top in range(0, HEIGHT, rows)
        ]
        data = ycbcr_file([packed(strip, compression) + behind for strip in strips],
                          rows, compression, (across, down))  # fmt: skip
        end = ", bytes behind" if behind else ""
        name = f"YCbCr {across}×{down}, compression {compression}, {layout}{end}"
        yield Coded(name, data, coarse, 4)


def units(planes: NDArray[np.uint8], across: int, down: int) -> bytes:
    height, width = planes.shape[:2]
    padding = ((0, -height % down), (0, -width % across), (0, 0))
    whole = np.pad(planes, padding, mode="edge")
    high, wide = whole.shape[0] // down, whole.shape[1] // across
    luma = whole[..., 0].reshape(high, down, wide, across).transpose(0, 2, 1, 3)
    colour = whole[::down, ::across, 1:]
    return np.concatenate([luma.reshape(high, wide, -1), colour], axis=2).tobytes()


def packed(strip: bytes, compression: int) -> bytes:
    if compression == 1:
        return strip
    return bytes(imagecodecs.lzw_encode(strip)) if compression == 5 else zlib.compress(strip)


def ycbcr_file(
    strips: list[bytes], rows: int, compression: int, sampling: tuple[int, int]
) -> bytes:
    """Written by hand, big-endian; the tables lie behind the strips."""
    starts = 8 + np.cumsum([0, *map(len, strips)])
    tables = starts[:-1].astype(">u4").tobytes() + np.array([*map(len, strips)], ">u4").tobytes()
    at, count = int(starts[-1]), len(strips)
    first = (at, at + 4 * count) if count > 1 else (8, len(strips[0]))
    depth = at + len(tables)
    entries = [
        (256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 3, depth), (259, 4, 1, compression),
        (262, 4, 1, 6), (273, 4, count, first[0]), (277, 4, 1, 3), (278, 4, 1, rows),
        (279, 4, count, first[1]), (530, 3, 2, sampling[0] << 16 | sampling[1]),
    ]  # fmt: skip
    directory = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    head = b"MM\0*" + struct.pack(">I", depth + 6)
    counted = struct.pack(">H", len(entries)) + directory + bytes(4)
    return head + b"".join(strips) + tables + struct.pack(">HHH", 8, 8, 8) + counted


def padded() -> Iterator[Coded]:
    """Writers that fill their last strip up with rows that the picture does not have."""
    rows = 16
    whole = np.pad(shown(), ((0, -HEIGHT % rows), (0, 0), (0, 0)), constant_values=9)
    for compression in ("none", "lzw", "deflate", "packbits", "zstd", "lzma"):
        data = written(whole, **options_of(compression), rowsperstrip=rows)
        height = struct.pack("<HHII", 257, 4, 1, whole.shape[0])
        assert data.count(height) == 1
        cut = data.replace(height, struct.pack("<HHII", 257, 4, 1, HEIGHT))
        yield Coded(f"a padded last strip, {compression}", cut, shown())
