"""What a TIFF states of its scale, in tags and in the text of its writer."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tifffile import TiffFile, TiffPage

from healer.slides.resolution import UM_PER_UNIT, StatedResolution, positive, stated
from healer.slides.slide_file import allowed

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
UM_PER_TAG_UNIT = {2: 25_400.0, 3: 10_000.0}  # inch, centimetre
LONGEST_TEXT = 4 * 1024 * 1024
APERIO_MPP = re.compile(r"\bMPP ?= ?([0-9.]+)")


def statements_of(file: TiffFile, page: TiffPage) -> tuple[StatedResolution, ...]:
    """The writer's own text first."""
    statements = []
    if file.is_ome:
        statements.append(_of_ome(file))
    if file.is_svs and (found := APERIO_MPP.search(page.description[:LONGEST_TEXT])):
        statements.append(stated("aperio metadata", found[1], found[1]))
    statements.append(_of_tags(page))
    return tuple(statements)


def magnification_of(file: TiffFile) -> float | None:
    if not file.is_ome:
        return None
    root = _ome_root(file)
    objective = None if root is None else root.find(".//{*}Objective")
    return None if objective is None else positive(objective.get("NominalMagnification"))


def tag_properties(page: TiffPage) -> dict[str, str]:
    values = (_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    names = ("tiff.XResolution", "tiff.YResolution")
    return allowed({name: str(value) for name, value in zip(names, values, strict=True)})


def _of_tags(page: TiffPage) -> StatedResolution:
    unit = UM_PER_TAG_UNIT.get(int(page.tags.valueof(RESOLUTION_UNIT, 2) or 0))
    across, down = (_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    if unit is None or across is None or down is None:
        return StatedResolution("TIFF tags", None, None)
    return stated("TIFF tags", unit / across, unit / down)


def _per_unit(page: TiffPage, tag: int) -> float | None:
    match page.tags.valueof(tag):
        case (int(top), int(bottom)) if bottom:
            return positive(top / bottom)
    return None


def _of_ome(file: TiffFile) -> StatedResolution:
    root = _ome_root(file)
    pixels = None if root is None else root.find("./{*}Image/{*}Pixels")
    if pixels is None:
        return StatedResolution("OME-XML", None, None)
    values = []
    for axis in "XY":
        size = positive(pixels.get(f"PhysicalSize{axis}"))
        unit = UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        values.append(size * unit if size and unit else None)
    return stated("OME-XML", *values)


def _ome_root(file: TiffFile) -> ElementTree.Element | None:
    text = file.ome_metadata or ""
    # Entities could grow without bound; OME-XML has none.
    if len(text) > LONGEST_TEXT or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError:
        return None
