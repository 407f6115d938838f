"""A TIFF page's strips and tiles, decoded one by one into 8-bit samples.

tifffile and imagecodecs decode. What they are lenient about is checked here: a strip that is cut
short, or a picture in a tile that is not of the tile's size, is damage and never a guess.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from healer.errors.request import TruncatedImage
from healer.images.headers import CLAIMS, jpeg2000_header, jpeg_frame
from healer.images.tiff_coding import (
    APERIO_YCBCR,
    COMPRESSIONS,
    EMBEDDED,
    FAX,
    JPEG,
    JPEG_2000,
    LERC,
    PACKED,
    PALETTE,
    WEBP,
    YCBCR,
    Eight,
    refusal,
    unpack_ycbcr,
    ycbcr_bytes,
    ycbcr_to_rgb,
)

if TYPE_CHECKING:
    from tifffile import TiffPage

Samples = NDArray[np.generic]

MOST_SEGMENTS = 2**18
LARGEST_SEGMENT = 2**20  # pixels, where a picture may have fewer: tiles are padded
SLACK = 4096  # bytes that a strip may unpack to behind its last row
BAND_ROWS = 256


@dataclass(frozen=True, slots=True)
class Segment:
    """A strip or tile: `area` is (height, width) as coded, `shown` what of it the picture has."""

    data: bytes
    index: int
    plane: int
    top: int
    left: int
    area: tuple[int, int]
    shown: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A checked page. `compression` and `reversed` (bits within a byte) are as in the file; the
    library sees neither where its strips are unpacked here."""

    tags: TiffPage
    compression: int
    reversed: bool

    @classmethod
    def of(cls, page: TiffPage) -> Page:
        checked = cls(page, int(page.compression), int(page.fillorder) == 2)
        if checked.compression in PACKED:
            page.compression, page.fillorder = 1, 1
        return checked

    @property
    def channels(self) -> int:
        """In one segment."""
        return 1 if int(self.tags.planarconfig) == 2 else int(self.tags.samplesperpixel)


def samples_of(page: TiffPage, data: bytes, max_pixels: int) -> Eight:
    """(height, width, samples), each sample from 0 to 255; a palette's are RGB already."""
    checked = Page.of(page)
    convert = converter_to_bytes(checked)
    depth = 3 if int(page.photometric) == PALETTE else page.samplesperpixel
    canvas = np.zeros((page.imagelength, page.imagewidth, depth), np.uint8)
    separate = int(page.planarconfig) == 2
    for segment in _segments(checked, data, max_pixels):
        height, width = segment.shown
        decoded = decoded_segment(checked, segment)[:height, :width]
        planes = slice(segment.plane, segment.plane + 1) if separate else slice(None)
        place = canvas[segment.top :, segment.left :, planes][:height, :width]
        for top in range(0, height, BAND_ROWS):
            rows = slice(top, top + BAND_ROWS)
            place[rows] = convert(decoded[rows])
    return canvas


def _segments(checked: Page, data: bytes, max_pixels: int) -> Iterator[Segment]:
    page = checked.tags
    height, width = page.imagelength, page.imagewidth
    tall, wide = segment_area(page)
    if tall * wide > max(max_pixels, LARGEST_SEGMENT):
        raise TruncatedImage(
            f"tiles of {wide:,} × {tall:,} for a picture of {width:,} × {height:,}"
        )
    down, across = ceil(height / tall), ceil(width / wide)
    planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
    count = down * across * planes
    if count > MOST_SEGMENTS:
        raise refusal(page, f"{count:,} strips or tiles")
    if len(page.dataoffsets) < count or len(page.databytecounts) < count:
        raise TruncatedImage("the table of its strips or tiles is too short")
    for index in range(count):
        offset, size = int(page.dataoffsets[index]), int(page.databytecounts[index])
        if offset <= 0 or size <= 0 or offset + size > len(data):
            raise TruncatedImage(f"its strip or tile {index + 1} of {count} is not in the file")
        plane, place = divmod(index, down * across)
        top, left = place // across * tall, place % across * wide
        shown = min(tall, height - top), min(wide, width - left)
        area = (tall, wide) if page.is_tiled else shown
        yield Segment(data[offset : offset + size], index, plane, top, left, area, shown)


def segment_area(page: TiffPage) -> tuple[int, int]:
    area = (
        (page.tilelength, page.tilewidth)
        if page.is_tiled
        else (page.rowsperstrip or page.imagelength, page.imagewidth)
    )
    if min(*area, page.imagelength, page.imagewidth) < 1:
        raise TruncatedImage("a picture, strip or tile of no size")
    return int(area[0]), int(area[1])


def decoded_segment(checked: Page, segment: Segment) -> Samples:
    """(height, width, channels): no less than the picture shows of the segment."""
    page, compression = checked.tags, checked.compression
    if compression in EMBEDDED:
        decoded = _embedded(checked, segment)
    elif compression in JPEG:
        decoded = _jpeg(checked, segment)
    elif int(page.photometric) == YCBCR:
        decoded = _ycbcr(checked, segment)
    elif compression in FAX:
        decoded = _by_library(checked, segment.data, segment.index).astype(bool)
    else:
        content = segment.data if compression == 1 else _unpacked(checked, segment)
        decoded = _by_library(checked, content, segment.index)
    if decoded.shape[2] != checked.channels or decoded.dtype != page.dtype:
        raise refusal(page, "other samples in its strips or tiles than its tags say")
    if decoded.shape[0] < segment.shown[0] or decoded.shape[1] < segment.shown[1]:
        raise TruncatedImage(f"its strip or tile {segment.index + 1} is cut short")
    return decoded


def _by_library(checked: Page, content: bytes, index: int, **options: object) -> Samples:
    decoded = checked.tags.decode(content, index, **options)[0]
    if decoded is None:
        raise TruncatedImage(f"its strip or tile {index + 1} is empty")
    samples: Samples = decoded[0]
    return samples


def _unpacked(checked: Page, segment: Segment) -> bytes:
    height, width = segment_area(checked.tags)
    bits = width * int(checked.tags.bitspersample) * checked.channels
    return _unpack(checked, segment, height * ceil(bits / 8))


def _unpack(checked: Page, segment: Segment, most: int) -> bytes:
    """At most `most` bytes and some; a writer may pad its last strip to all of its rows."""
    import imagecodecs

    packed = segment.data
    if checked.reversed:
        packed = bytes(imagecodecs.bitorder_decode(packed))
    if checked.compression == 1:
        return packed
    if checked.compression in (8, 32946):
        return zlib.decompressobj().decompress(packed, most)
    unpack: Callable[..., bytes | bytearray] = {
        5: imagecodecs.lzw_decode,
        32773: imagecodecs.packbits_decode,
        34925: imagecodecs.lzma_decode,
    }.get(checked.compression, imagecodecs.zstd_decode)
    return bytes(unpack(packed, out=most + SLACK))


def _ycbcr(checked: Page, segment: Segment) -> Samples:
    across, down = checked.tags.subsampling or (2, 2)
    size = ycbcr_bytes(segment.area, across, down)
    largest = ycbcr_bytes(segment_area(checked.tags), across, down)
    content = _unpack(checked, segment, largest)
    if len(content) < size:
        raise TruncatedImage(f"its strip or tile {segment.index + 1} is cut short")
    return unpack_ycbcr(content[:size], segment.area, across, down)


def _jpeg(checked: Page, segment: Segment) -> Samples:
    page = checked.tags
    frame = jpeg_frame(segment.data)
    if frame is None:
        raise TruncatedImage(f"its strip or tile {segment.index + 1} holds no JPEG")
    if frame.components != checked.channels or frame.precision != page.bitspersample:
        raise refusal(page, f"{frame.precision}-bit JPEGs of {frame.components} components")
    _check_size((frame.height, frame.width), segment, checked)
    tables, header = page.jpegtables, page.jpegheader
    return _by_library(checked, segment.data, segment.index, jpegtables=tables, jpegheader=header)


def _check_size(size: tuple[int, int], segment: Segment, checked: Page) -> None:
    """A library would lay the rows of a picture of another width under each other all the same."""
    height, width = size
    tall = segment_area(checked.tags)[0]
    if width not in (segment.area[1], segment.shown[1]) or not segment.shown[0] <= height <= tall:
        raise TruncatedImage(
            f"its strip or tile {segment.index + 1} holds a picture of {width:,} × {height:,}"
        )


def _embedded(checked: Page, segment: Segment) -> Samples:
    from tifffile import TIFF

    ycc = _check_claims(checked, segment)
    options = {"hasalpha": True} if _is_webp_with_alpha(checked) else {}
    decoded = np.asarray(TIFF.DECOMPRESSORS[checked.compression](segment.data, **options))
    decoded = decoded[..., None] if decoded.ndim == 2 else decoded
    if decoded.ndim != 3:
        raise refusal(checked.tags, "pictures of another shape in its strips or tiles")
    _check_size(decoded.shape[:2], segment, checked)
    return ycbcr_to_rgb(decoded) if ycc and decoded.dtype == np.uint8 else decoded


def _is_webp_with_alpha(checked: Page) -> bool:
    return checked.compression in WEBP and checked.channels == 4


def _check_claims(checked: Page, segment: Segment) -> bool:
    """Before memory is checked for it; True where it decodes to YCbCr."""
    size = CLAIMS[checked.compression](segment.data)
    if size is None and checked.compression != LERC:
        name = COMPRESSIONS[checked.compression]
        raise TruncatedImage(f"its strip or tile {segment.index + 1} holds no {name}")
    if size is not None:
        _check_size(size[::-1], segment, checked)
    header = jpeg2000_header(segment.data) if checked.compression in JPEG_2000 else None
    if header is None:
        return False
    if not header.even:
        raise refusal(checked.tags, "JPEG 2000 whose colours are subsampled")
    is_aperio = checked.compression == APERIO_YCBCR
    return is_aperio and header.components == 3 and not header.colour_transform


def converter_to_bytes(checked: Page) -> Callable[[Samples], Eight]:
    page = checked.tags
    if int(page.photometric) == PALETTE:
        palette = _palette(page)
        return lambda samples: palette[samples[..., 0]]
    bits = int(page.bitspersample)
    if bits == 8:
        return lambda samples: samples.astype(np.uint8)
    if bits == 16:
        # As Pillow does for a PNG: one picture has the same pixels in either container.
        by = 257 if page.samplesperpixel == 1 else 256
        return lambda samples: (samples.astype(np.uint16) // by).astype(np.uint8)
    largest = 2**bits - 1
    return lambda samples: (
        (samples.astype(np.uint32) * 255 // largest).clip(0, 255).astype(np.uint8)
    )


def _palette(page: TiffPage) -> Eight:
    """(colours, 3). Some writers give 8-bit values where the format wants 16-bit ones."""
    values = np.asarray(page.tags.valueof(320), np.uint32).reshape(-1)
    if values.size != 3 * 2 ** int(page.bitspersample):
        raise TruncatedImage("its colour map is not as long as its samples need")
    by = 1 if values.max() < 256 else 256
    return (values // by).astype(np.uint8).reshape(3, -1).T
