"""Pictures over the slide: its map as a Parametric Map pyramid, its tissue as a Segmentation.

Both lie on levels that the slide has: viewers draw nothing at a scale of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from healer.hospital.finished import ResultContext
from healer.hospital.series import size_of
from healer.slides.heatmap import MAP_UM_PER_PX, Raster, probability_map

MAP_KIND, MAP_NUMBER = "map", 9002
TISSUE_KIND, TISSUE_NUMBER = "tissue", 9003
TILE = 256
# Of the map's pixels; from 1 they are probabilities. Readers refuse what no mapping covers.
NOT_SCORED, HIGHEST = 0, 65535
STEP = 1 / (HIGHEST - 1)


def map_levels(context: ResultContext) -> list[Dataset]:
    """The level nearest to 8 µm a pixel, and those coarser than it."""
    levels = context.series.levels
    scale = context.slide.document["mpp"]
    base_width = size_of(levels[0])[0]
    um = [base_width / size_of(each)[0] * (scale["x"] * scale["y"]) ** 0.5 for each in levels]
    nearest = min(range(len(levels)), key=lambda at: abs(math.log(um[at] / MAP_UM_PER_PX)))
    coarser = [each for each in levels[nearest:] if max(size_of(each)) >= TILE]
    return coarser or [levels[nearest]]


def parametric_maps(context: ResultContext) -> Iterator[ParametricMap]:
    levels = map_levels(context)
    for number, level in enumerate(levels, 1):
        pixels = map_pixels(context, level)
        yield ParametricMap(
            source_images=[level],
            pixel_array=pixels[None],
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[_mapping(context)],
            voi_lut_transformations=[
                VOILUTTransformation(window_center=HIGHEST / 2, window_width=HIGHEST)
            ],
            transfer_syntax_uid=ExplicitVRLittleEndian,
            content_label="CANCER",
            content_description="Probability of colorectal cancer by tile",
            tile_pixel_array=True,
            tile_size=(TILE, TILE),
            dimension_organization_type="TILED_SPARSE",
            pyramid_uid=context.uid("pyramid", MAP_KIND) if len(levels) > 1 else None,
            pyramid_label="Healer: map" if len(levels) > 1 else None,
            **context.series_of(MAP_KIND, MAP_NUMBER, number),
        )


def _mapping(context: ResultContext) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label="PROBABILITY",
        lut_explanation="Probability of cancer in the tile; below 0, not scored",
        unit=context.codes["one"],
        value_range=(NOT_SCORED, HIGHEST),
        slope=STEP,
        intercept=-STEP,
        quantity_definition=context.codes["cancer_probability"],
    )


def map_pixels(context: ResultContext, level: Dataset) -> NDArray[np.uint16]:
    """0 where no tile was scored."""
    width, height = size_of(level)
    raster = Raster(width, height, size_of(context.series.base))
    probabilities = probability_map(context.slide.tiles, raster)
    values = np.round(np.nan_to_num(probabilities) * (HIGHEST - 1)).astype(np.uint16) + 1
    values[np.isnan(probabilities)] = NOT_SCORED
    return values.astype(np.uint16)


def tissue_segmentation(context: ResultContext) -> Segmentation | None:
    """None where no tissue is known: DICOM has no empty segmentation."""
    tissue = context.slide.tissue
    if tissue is None or not tissue.any():
        return None
    level = map_levels(context)[0]
    mask = Image.fromarray(tissue).resize(size_of(level), Image.Resampling.NEAREST)
    segment = SegmentDescription(
        segment_number=1,
        segment_label="Tissue",
        segmented_property_category=context.codes["tissue"],
        segmented_property_type=context.codes["tissue"],
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=context.algorithm(),
    )
    return Segmentation(
        source_images=[level],
        pixel_array=np.asarray(mask).astype(np.uint8)[None],
        segmentation_type="BINARY",
        segment_descriptions=[segment],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="TISSUE",
        content_description="Tissue found by Healer",
        tile_pixel_array=True,
        tile_size=(TILE, TILE),
        dimension_organization_type="TILED_SPARSE",
        **context.series_of(TISSUE_KIND, TISSUE_NUMBER),
    )
