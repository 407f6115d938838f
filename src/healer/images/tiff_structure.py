"""How a TIFF file is built: its directories, and what its first page says of the others.

Directories are walked within bounds before a library is shown the file. Microscopes write a page a
channel (OME-TIFF, ImageJ), so that one picture may be spread over several pages.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from healer.errors.request import TruncatedImage, UnsupportedFormat

if TYPE_CHECKING:
    from tifffile import TiffPage

MOST_DIRECTORIES = 4096
MOST_TAGS = 4096  # in one directory
MOST_TAGS_IN_ALL = 200_000
SUBFILE_TYPE, OLD_SUBFILE_TYPE, WIDTH, HEIGHT, SUB_DIRECTORIES = 254, 255, 256, 257, 330
STRIPS, TILES, OLD_JPEG = 273, 324, 513
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
# Without these the pixels are not known; a library that skips a broken one would guess.
_NEEDED = {
    256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325,
    338, 339, 347, 529, 530, 532,
}  # fmt: skip
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
_OTHER_TYPES = {347: {7, 1}, 529: {5}, 532: {5, 4, 3}}
ONE_FIELD_ADVICE = "Export the field of view that matters as a TIFF, or a PNG, of its own."
LONGEST_DESCRIPTION = 2**20
_NAMES = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
_COLOURS = {0xFF000000: 0, 0x00FF0000: 1, 0x0000FF00: 2}  # RGBA without its last byte
_IMAGEJ = re.compile(r"^(images|channels|slices|frames)=(\d{1,9})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Directory:
    """`number` is its place in the file, from 1; `values` are its small whole numbers by tag."""

    number: int
    offset: int
    tags: frozenset[int] = field(repr=False)
    values: Mapping[int, int] = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.values.get(WIDTH, 0), self.values.get(HEIGHT, 0)

    @property
    def has_pixels(self) -> bool:
        return not self.tags.isdisjoint({STRIPS, TILES, OLD_JPEG})

    @property
    def is_reduced(self) -> bool:
        """Whether it says that it is a smaller copy, or a mask, of another."""
        kind = self.values.get(SUBFILE_TYPE, 0)
        return bool(kind & (_REDUCED | _MASK)) or self.values.get(OLD_SUBFILE_TYPE) == _OLD_REDUCED


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a classic TIFF, or a BigTIFF, in this byte order writes its numbers."""

    order: str
    count: struct.Struct
    entry: struct.Struct
    pointer: struct.Struct

    @classmethod
    def of(cls, data: bytes) -> _Layout:
        order = "<" if data[:2] == b"II" else ">"
        big = 43 in data[2:4]
        kinds = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        return cls(order, *(struct.Struct(order + kind) for kind in kinds))

    @property
    def first(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.pointer.size == 8 else 4


def directories(data: bytes) -> list[Directory]:
    """Those of the main chain that hold pixels, each once. Raises TruncatedImage, and
    UnsupportedFormat where there are more than anyone needs."""
    found = [each for each in _chain(data) if each.has_pixels]
    if not found:
        raise TruncatedImage("none of its directories says where the pixels are")
    return found


def _chain(data: bytes) -> Iterator[Directory]:
    layout = _Layout.of(data)
    offset = _unpacked(layout.pointer, data, layout.first)
    if offset == 0:
        raise TruncatedImage("it holds no directory")
    seen: set[int] = set()
    tags = 0
    while offset and offset not in seen:
        if len(seen) == MOST_DIRECTORIES or tags > MOST_TAGS_IN_ALL:
            raise UnsupportedFormat(f"a TIFF of more than {len(seen):,} pages", ONE_FIELD_ADVICE)
        seen.add(offset)
        directory, offset = _read_directory(data, layout, offset, len(seen))
        tags += len(directory.tags)
        yield directory


def _read_directory(
    data: bytes, layout: _Layout, offset: int, number: int
) -> tuple[Directory, int]:
    """The directory there, and the offset of the next."""
    if offset < 8 or offset >= len(data):
        raise TruncatedImage(f"the directory of its page {number} lies outside of the file")
    count = _unpacked(layout.count, data, offset)
    if not 0 < count <= MOST_TAGS:
        raise TruncatedImage(f"a directory of {count:,} tags")
    start = offset + layout.count.size
    end = start + count * layout.entry.size
    following = _unpacked(layout.pointer, data, end)
    values: dict[int, int] = {}
    tags = set()
    for tag, kind, many, value in layout.entry.iter_unpack(data[start:end]):
        tags.add(tag)
        if tag in _NEEDED:
            _check(data, layout, (tag, kind, many, value))
        fits = kind in _INTEGERS and _SIZES[kind] <= layout.pointer.size
        if many == 1 and fits and tag not in values:
            values[tag] = struct.unpack_from(layout.order + _INTEGERS[kind], value)[0]
    return Directory(number, offset, frozenset(tags), values), following


def _check(data: bytes, layout: _Layout, entry: tuple[int, int, int, bytes]) -> None:
    tag, kind, many, value = entry
    if kind not in _OTHER_TYPES.get(tag, _INTEGERS):
        raise TruncatedImage(f"its tag {tag} is of a type that it cannot be")
    size = many * _SIZES[kind]
    if size > layout.pointer.size and layout.pointer.unpack(value)[0] + size > len(data):
        raise TruncatedImage(f"the values of its tag {tag} lie outside of the file")


def _unpacked(kind: struct.Struct, data: bytes, offset: int) -> int:
    try:
        return int(kind.unpack_from(data, offset)[0])
    except struct.error:
        raise TruncatedImage("it ends within a directory") from None


@dataclass(frozen=True, slots=True)
class Planes:
    """What the first page's description says of the file. `channels` are pages to one picture;
    `rgb` are the places of red, green and blue among them where it says so; `images` is how many
    planes the file holds in all, however many directories it has."""

    writer: str
    channels: int = 1
    images: int = 1
    rgb: tuple[int, ...] = ()


def planes_of(page: TiffPage) -> Planes | None:
    """None where the description says nothing of pages."""
    text = page.description[:LONGEST_DESCRIPTION] if isinstance(page.description, str) else ""
    if text.startswith("ImageJ="):
        return _imagej(text)
    if text.rstrip().endswith("OME>"):
        return _ome(text, int(page.samplesperpixel))
    if text.startswith('{"shape":'):
        return _shaped(text, page)
    return None


def _imagej(text: str) -> Planes:
    says = {name: int(count) for name, count in _IMAGEJ.findall(text)}
    channels = says.get("channels", 1)
    planes = channels * says.get("slices", 1) * says.get("frames", 1)
    return Planes("ImageJ", channels, max(says.get("images", 1), planes))


def _ome(text: str, samples: int) -> Planes | None:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - with no entities there is no bomb
    except (ElementTree.ParseError, ValueError):
        return None
    pixels = root.find("{*}Image/{*}Pixels")
    if pixels is None:
        return None
    depth, times, channels = (_number(pixels.get(name)) for name in ("SizeZ", "SizeT", "SizeC"))
    pages = max(1, channels // max(1, samples))
    rgb = _rgb(pixels.findall("{*}Channel")) if pages == 3 and samples == 1 else ()
    channels_a_picture = pages if samples == 1 else 1  # a page of several samples is a picture
    return Planes("OME-TIFF", channels_a_picture, pages * depth * times, rgb)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 1


def _rgb(channels: Sequence[ElementTree.Element]) -> tuple[int, ...]:
    """Empty where the three are not a red, a green and a blue one, by colour or by name."""
    for found in ([_colour(each) for each in channels], [_named(each) for each in channels]):
        if sorted(place for place in found if place is not None) == [0, 1, 2]:
            return tuple(found.index(place) for place in range(3))
    return ()


def _colour(channel: ElementTree.Element) -> int | None:
    try:
        return _COLOURS.get(int(channel.get("Color", "")) & 0xFFFFFF00)
    except ValueError:
        return None


def _named(channel: ElementTree.Element) -> int | None:
    return _NAMES.get(channel.get("Name", "").strip().lower())


def _shaped(text: str, page: TiffPage) -> Planes | None:
    """tifffile's own note of the array that it wrote."""
    try:
        shape = [int(side) for side in json.loads(text)["shape"]]
    except (ValueError, TypeError, KeyError):
        return None
    own = prod(page.shape)
    return Planes("tifffile", 1, max(1, prod(shape) // own)) if own else None
