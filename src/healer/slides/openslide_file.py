"""What OpenSlide reads: SVS, NDPI, MRXS, SCN, BIF, DICOM, generic TIFF pyramids and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import openslide
from openslide import OpenSlide, OpenSlideCache, OpenSlideError

from healer.errors.slides import NotBrightfield, SlideDamaged, SlideUnsupported
from healer.images.tiff_coding import ycbcr_to_rgb
from healer.slides.reader import Area, ColourChoice, Level, Rgba
from healer.slides.slide_file import (
    SlideDescription,
    StatedResolution,
    ToSrgb,
    allowed,
    check_size,
    honest_levels,
    positive,
    stated,
)

CACHE_BYTES = 32 * 1024 * 1024
LONGEST_REASON = 160
MOST_TILE_PIXELS = 16 * 1024 * 1024
SIDES = ("width", "height")
UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}
EPIFLUORESCENCE = "111743"  # DICOM's code for the illumination
ILLUMINATION = "dicom.OpticalPathSequence[0].IlluminationTypeCodeSequence[0].CodeValue"
LEAST_VERSION = "4.0.1"  # mends memory errors, DICOM's axes and NDPI over 4 GB
LIBRARIES = ("openslide-python", "tifffile", "imagecodecs", "pydicom", "shapely", "pyarrow")


def library_versions() -> dict[str, str]:
    """Of what reads slides. Raises ModuleNotFoundError where one is not installed."""
    packages = {name: version(name) for name in LIBRARIES}  # PackageNotFoundError is a kind of it
    return {"OpenSlide": openslide.__library_version__, **packages}


class OpenSlideFile:
    """Its handle fails for good at the first error, and is then opened again."""

    def __init__(self, path: str, colour: ColourChoice, *, is_ycbcr: bool = False) -> None:
        """`is_ycbcr` where OpenSlide takes YCbCr for RGB. Raises OpenSlideError and SlideError."""
        self._path, self._is_ycbcr = path, is_ycbcr
        self._slide = self._opened()
        properties = self._slide.properties
        if properties.get(ILLUMINATION) == EPIFLUORESCENCE:
            raise NotBrightfield("its illumination is stated as epifluorescence")
        check_size(*self._slide.dimensions)
        check_tiles(properties, self._slide.level_count)
        self._levels = honest_levels(self._slide.level_dimensions)
        self._to_srgb = self._profile() if colour == "srgb" else None
        self.description = self._described(properties)

    @property
    def levels(self) -> Sequence[Level]:
        return self.description.levels

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Rgba:
        place = tuple(self._levels)[level]
        # The library's own factor: at another its pixels would be blended with their neighbours.
        downsample = self._slide.level_downsamples[place]
        origin = (round(x * downsample), round(y * downsample))
        try:
            pixels = np.asarray(self._slide.read_region(origin, place, (width, height)))
        except OpenSlideError as error:
            reason = reason_of(error, self._path)
            self._slide.close()
            self._slide = self._opened()
            raise SlideDamaged(reason) from None
        if self._is_ycbcr:
            pixels = np.dstack([ycbcr_to_rgb(pixels[..., :3]), pixels[..., 3]])
        return pixels if self._to_srgb is None else self._to_srgb.apply(pixels)

    def close(self) -> None:
        self._slide.close()

    def _opened(self) -> OpenSlide:
        slide = OpenSlide(self._path)
        slide.set_cache(OpenSlideCache(CACHE_BYTES))
        return slide

    def _profile(self) -> ToSrgb | None:
        profile = self._slide.color_profile
        return None if profile is None else ToSrgb(profile.tobytes())

    def _described(self, properties: Mapping[str, str]) -> SlideDescription:
        vendor = properties.get(openslide.PROPERTY_NAME_VENDOR, "unknown")
        return SlideDescription(
            reader=f"openslide {openslide.__library_version__} ({vendor})",
            levels=tuple(self._levels.values()),
            bounds=bounds_of(properties, self._slide.dimensions),
            statements=statements_of(properties, vendor),
            magnification=positive(properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)),
            properties=allowed(properties),
            colour="raw" if self._to_srgb is None else "srgb",
        )


def bounds_of(properties: Mapping[str, str], size: tuple[int, int]) -> Area:
    """The part of level 0 that was scanned: all of it where nothing is said."""
    whole = Area(0, 0, *size)
    values = [properties.get(f"openslide.bounds-{name}") for name in ("x", "y", "width", "height")]
    try:
        x, y, width, height = (int(value or "") for value in values)
    except ValueError:
        return whole
    return Area(x, y, width, height).intersection(whole) or whole


def statements_of(properties: Mapping[str, str], vendor: str) -> tuple[StatedResolution, ...]:
    """Of a generic TIFF, OpenSlide's value is that of the tags; no source is named twice."""
    statements = []
    if vendor != "generic-tiff":
        across, down = (properties.get(f"openslide.mpp-{axis}") for axis in "xy")
        statements.append(stated(f"{vendor} metadata", across, down))
    unit = UM_PER_UNIT.get(properties.get("tiff.ResolutionUnit", ""))
    per_unit = [positive(properties.get(f"tiff.{axis}Resolution")) for axis in "XY"]
    if unit:
        statements.append(stated("TIFF tags", *(value and unit / value for value in per_unit)))
    if vendor == "dicom":
        statements.append(_imaged_volume(properties))
    return tuple(statements)


def _imaged_volume(properties: Mapping[str, str]) -> StatedResolution:
    sides = (("Width", "Columns"), ("Height", "Rows"))
    values = []
    for side, count in sides:
        millimetres = positive(properties.get(f"dicom.ImagedVolume{side}"))
        pixels = positive(properties.get(f"dicom.TotalPixelMatrix{count}"))
        values.append(millimetres * 1000 / pixels if millimetres and pixels else None)
    return stated("DICOM imaged volume", *values)


def check_tiles(properties: Mapping[str, str], levels: int) -> None:
    """A tile is decoded whole, in memory that a lying one would exhaust. Raises
    SlideUnsupported."""
    for level in range(levels):
        sides = [properties.get(f"openslide.level[{level}].tile-{side}") for side in SIDES]
        width, height = (int(side) if side and side.isdecimal() else 0 for side in sides)
        if width * height > MOST_TILE_PIXELS:
            raise SlideUnsupported(
                f"in tiles of {width:,} × {height:,} pixels, which cannot be read in parts"
            )


def reason_of(error: Exception, path: str) -> str:
    """One short line that can be printed."""
    text = str(error).replace(path, "the file")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text[:LONGEST_REASON].strip().rstrip(".") or type(error).__name__
