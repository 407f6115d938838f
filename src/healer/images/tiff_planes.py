"""One picture spread over a TIFF's pages: microscopes write a page a channel (OME-TIFF, ImageJ)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from tifffile import TiffPage

LONGEST_DESCRIPTION = 2**20
_NAMES = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
_COLOURS = {0xFF000000: 0, 0x00FF0000: 1, 0x0000FF00: 2}  # RGBA without its last byte
_IMAGEJ = re.compile(r"^(images|channels|slices|frames)=(\d{1,9})\s*$", re.MULTILINE)


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
