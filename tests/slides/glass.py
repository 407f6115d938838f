"""Slides made from tiles of known class at known places on glass, in several formats."""

from __future__ import annotations

import csv
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.encaps
import pydicom.uid
import tifffile
from numpy.typing import NDArray
from PIL import Image

from healer.slides.reader import Area

Pixels = NDArray[np.uint8]
DATA = Path(__file__).parents[3] / "shared/data"
SLIDES = DATA / "slides"
GLASS = (243, 242, 245)
UM_PER_PX = 0.5
WHOLE_SLIDE = pydicom.uid.VLWholeSlideMicroscopyImageStorage


@dataclass(frozen=True, slots=True)
class Patch:
    """Tissue of one kind, tiled over an area."""

    label: str
    area: Area


@cache
def tissue_of(label: str) -> tuple[Pixels, ...]:
    """Real tiles of a class, resampled to UM_PER_PX."""
    tiles: list[Pixels] = []
    for source, field_um in (("kather2016", 74.0), ("ebhi-seg", 224.0)):
        with (DATA / source / "index.csv").open(encoding="utf-8", newline="") as file:
            paths = [row["path"] for row in csv.DictReader(file) if row["label"] == label]
        side = round(field_um / UM_PER_PX)
        for path in paths[:12]:
            image = Image.open(DATA / source / path).convert("RGB")
            tiles.append(np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)))
    return tuple(tiles)


def glass_with(size: tuple[int, int], patches: Sequence[Patch], seed: int = 0) -> Pixels:
    """RGB of `size` (width, height): glass with a little grain, and the patches."""
    random = np.random.default_rng(seed)
    width, height = size
    canvas = np.empty((height, width, 3), np.int16)
    canvas[:] = GLASS
    canvas += random.integers(-2, 3, canvas.shape, np.int16)
    picture = canvas.clip(0, 255).astype(np.uint8)
    for patch in patches:
        _fill(picture, patch, random)
    return picture


def _fill(picture: Pixels, patch: Patch, random: np.random.Generator) -> None:
    tiles, area = tissue_of(patch.label), patch.area
    side = tiles[0].shape[0]
    for y in range(area.y, area.bottom, side):
        for x in range(area.x, area.right, side):
            tile = tiles[random.integers(len(tiles))]
            height, width = min(side, area.bottom - y), min(side, area.right - x)
            picture[y : y + height, x : x + width] = tile[:height, :width]


def halves(picture: Pixels, count: int) -> list[Pixels]:
    """The picture and `count - 1` halves of halves of it."""
    levels = [picture]
    for _ in range(count - 1):
        height, width = levels[-1].shape[0] // 2, levels[-1].shape[1] // 2
        levels.append(
            np.asarray(Image.fromarray(levels[-1]).resize((width, height), Image.Resampling.BOX))
        )
    return levels


def write_svs(path: Path, picture: Pixels, um_per_px: float | None = UM_PER_PX) -> Path:
    """As Aperio's scanners do: levels in the main chain, a thumbnail, a label and a macro."""
    height, width = picture.shape[:2]
    text = f"Aperio Image Library v11.2.1\r\n{width}x{height} (256x256) JPEG/RGB Q=90|AppMag = 20"
    if um_per_px is not None:
        text += f"|MPP = {um_per_px}"
    text += "|Filename = CANARY-Patient|User = CANARY-User|Date = 01/02/03"
    levels = halves(picture, 3)
    options: dict[str, Any] = {"photometric": "rgb", "compression": "jpeg", "metadata": None}
    tiled: dict[str, Any] = {**options, "tile": (256, 256)}
    whole: dict[str, Any] = {**options, "rowsperstrip": 16, "compression": None}
    thumbnail = np.asarray(Image.fromarray(picture).resize((256, 256 * height // width)))
    with tifffile.TiffWriter(path) as file:
        file.write(levels[0], description=text, **tiled)
        file.write(thumbnail, description=text, **whole)
        for level in levels[1:]:
            file.write(level, description=text, **tiled)
        label = np.full((64, 64, 3), 200, np.uint8)
        kind = "Aperio Image Library v11.2.1\r\n"
        file.write(label, description=f"{kind}label 64x64 CANARY-Label", subfiletype=1, **whole)
        file.write(label, description=f"{kind}macro 64x64", subfiletype=9, **whole)
    return path


def write_pyramid(
    path: Path, picture: Pixels, um_per_px: float | None = UM_PER_PX, compression: str = "jpeg"
) -> Path:
    """A generic tiled TIFF."""
    resolution = None if um_per_px is None else (10_000 / um_per_px, 10_000 / um_per_px)
    with tifffile.TiffWriter(path) as file:
        for place, level in enumerate(halves(picture, 4)):
            scale = 2.0**place
            file.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression=compression,
                metadata=None,
                subfiletype=int(place > 0),
                resolution=resolution and (resolution[0] / scale, resolution[1] / scale),
                resolutionunit="CENTIMETER" if resolution else None,
            )
    return path


def write_ome(path: Path, picture: Pixels, um: tuple[float, float] = (UM_PER_PX,) * 2) -> Path:
    """Levels in SubIFDs, the scale in OME-XML alone."""
    levels = halves(picture, 3)
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    metadata = {"axes": "YXS", "PhysicalSizeX": um[0], "PhysicalSizeY": um[1]}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(levels[0], subifds=len(levels) - 1, metadata=metadata, **options)
        for level in levels[1:]:
            file.write(level, subfiletype=1, **options)
    return path


def write_qptiff(path: Path, picture: Pixels, um_per_px: float = UM_PER_PX) -> Path:
    """As Akoya's scanners write H&E: the finest level, a thumbnail, coarser levels, a macro and a
    label, each named by the XML of its description."""
    levels, label = halves(picture, 3), np.full((64, 64, 3), 200, np.uint8)
    height, width = picture.shape[:2]
    thumbnail = np.asarray(Image.fromarray(picture).resize((256, 256 * height // width)))
    pages = [
        ("FullResolution", levels[0], um_per_px),
        ("Thumbnail", thumbnail, um_per_px * width / 256),
        *(
            ("ReducedResolution", level, um_per_px * 2 ** (at + 1))
            for at, level in enumerate(levels[1:])
        ),
        ("Overview", label, 100.0),
        ("Label", label, 100.0),
    ]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for kind, page, scale in pages:
            is_level = kind.endswith("Resolution")
            file.write(
                page,
                photometric="rgb",
                compression="jpeg" if is_level else "lzw",
                tile=(256, 256) if is_level else None,
                software="PerkinElmer-QPI",
                description=(
                    '<?xml version="1.0" encoding="utf-8"?><PerkinElmer-QPI-ImageDescription>'
                    f"<ImageType>{kind}</ImageType><SlideID>CANARY-Slide</SlideID>"
                    "<ScanProfile>CANARY-Profile</ScanProfile></PerkinElmer-QPI-ImageDescription>"
                ),
                resolution=(10_000 / scale,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return path


MRXS_ID, MRXS_TILE, DARKEST_GLASS = "CANARY0123456789", 256, 220


def write_mrxs(path: Path, picture: Pixels, um_per_px: float = UM_PER_PX) -> Path:
    """As 3DHISTECH's scanners do: a folder beside `path` with the pictures, where each of them is,
    and the rest in text. Pictures of glass alone are left out, as a scanner leaves them out."""
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(b"CANARY-Macro: a picture of the glass, never opened")
    levels = halves(picture, 3)
    rows, columns = (-(-side // MRXS_TILE // 4) * 4 for side in picture.shape[:2])
    data, pages = bytearray(), []
    for number, level in enumerate(levels):
        entries = bytearray()
        across = range(0, columns, 2**number)
        for row, column in product(range(0, rows, 2**number), across):
            encoded = _jpeg_tile(level, row >> number, column >> number)
            if encoded is None:
                continue
            entries += struct.pack("<4i", row * columns + column, len(data), len(encoded), 0)
            data += encoded
        pages.append(bytes(entries))
    (folder / "Data0000.dat").write_bytes(data)
    (folder / "Index.dat").write_bytes(_mrxs_index(pages))
    general = {
        "SLIDE_ID": MRXS_ID,
        "SLIDE_NAME": "CANARY-Name",
        "IMAGENUMBER_X": columns,
        "IMAGENUMBER_Y": rows,
        "OBJECTIVE_MAGNIFICATION": 20,
    }
    zoom = {f"HIER_0_VAL_{at}_SECTION": f"LAYER_0_LEVEL_{at}_SECTION" for at in range(len(levels))}
    named = {"HIER_0_NAME": "Slide zoom level", "HIER_0_COUNT": len(levels), **zoom}
    text = {
        "GENERAL": general,
        "HIERARCHICAL": {"HIER_COUNT": 1, "NONHIER_COUNT": 0, "INDEXFILE": "Index.dat", **named},
        "DATAFILE": {"FILE_COUNT": 1, "FILE_0": "Data0000.dat"},
    }
    for at in range(len(levels)):
        text[f"LAYER_0_LEVEL_{at}_SECTION"] = {
            "OVERLAP_X": 0,
            "OVERLAP_Y": 0,
            "MICROMETER_PER_PIXEL_X": um_per_px * 2**at,
            "MICROMETER_PER_PIXEL_Y": um_per_px * 2**at,
            "IMAGE_FILL_COLOR_BGR": 0xFFFFFF,
            "IMAGE_CONCAT_FACTOR": int(at > 0),
            "DIGITIZER_WIDTH": MRXS_TILE,
            "DIGITIZER_HEIGHT": MRXS_TILE,
            "IMAGE_FORMAT": "JPEG",
        }
    lines = [
        line
        for section, values in text.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()))
    ]
    (folder / "Slidedat.ini").write_text("\n".join(lines), encoding="utf-8")
    return path


def _jpeg_tile(level: Pixels, row: int, column: int) -> bytes | None:
    """White where the picture ends; None where there is but glass."""
    tile = np.full((MRXS_TILE, MRXS_TILE, 3), 255, np.uint8)
    top, left = row * MRXS_TILE, column * MRXS_TILE
    part = level[top : top + MRXS_TILE, left : left + MRXS_TILE]
    tile[: part.shape[0], : part.shape[1]] = part
    if tile.min() > DARKEST_GLASS:
        return None
    stream = BytesIO()
    Image.fromarray(tile).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _mrxs_index(pages: Sequence[bytes]) -> bytes:
    """Each level's list of pictures, found by way of two pointers."""
    head = b"01.02" + MRXS_ID.encode()
    table = len(head) + 8  # behind the two roots
    index = bytearray(head + struct.pack("<2i", table, 0))
    index += bytes(4 * len(pages))
    for at, page in enumerate(pages):
        struct.pack_into("<i", index, table + 4 * at, len(index))
        index += struct.pack("<2i", 0, len(index) + 8)
        index += struct.pack("<2i", len(page) // 16, 0) + page
    return bytes(index)


def write_strips(path: Path, picture: Pixels, um_per_px: float = UM_PER_PX) -> Path:
    """One level in strips, which OpenSlide refuses."""
    tifffile.imwrite(
        path,
        picture,
        photometric="rgb",
        rowsperstrip=16,
        compression="deflate",
        metadata=None,
        resolution=(10_000 / um_per_px,) * 2,
        resolutionunit="CENTIMETER",
    )
    return path


def write_dicom(path: Path, picture: Pixels, um_per_px: float = UM_PER_PX) -> Path:
    """A folder with a file for each level, tiled in full, JPEG baseline."""
    path.mkdir()
    series = pydicom.uid.generate_uid()
    for number, level in enumerate(halves(picture, 3)):
        dataset = dicom_level(level, series, um_per_px * 2**number, resampled=number > 0)
        dataset.save_as(path / f"level-{number}.dcm", enforce_file_format=True)
    return path


def dicom_level(
    level: Pixels, series: str, um_per_px: float, *, resampled: bool
) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    dataset.file_meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.SOPClassUID = WHOLE_SLIDE
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID = "CANARY^Patient", "CANARY-ID"
    dataset.Modality, dataset.SeriesInstanceUID = "SM", series
    dataset.StudyInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[series, "study"])
    dataset.FrameOfReferenceUID = pydicom.uid.generate_uid(entropy_srcs=[series, "frame"])
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if resampled else "NONE"]
    height, width = level.shape[:2]
    dataset.TotalPixelMatrixColumns, dataset.TotalPixelMatrixRows = width, height
    dataset.Columns = dataset.Rows = 256
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.TotalPixelMatrixFocalPlanes = dataset.NumberOfOpticalPaths = 1
    measures, groups = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing = [um_per_px / 1000] * 2
    groups.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [groups]
    frames = _frames(level)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    return dataset


def _frames(level: Pixels) -> list[bytes]:
    """Tiles of 256 pixels, row by row, as JPEG; white beyond the edge."""
    rows, columns = -(-level.shape[0] // 256), -(-level.shape[1] // 256)
    padded = np.full((rows * 256, columns * 256, 3), 255, np.uint8)
    padded[: level.shape[0], : level.shape[1]] = level
    frames = []
    for top in range(0, len(padded), 256):
        for left in range(0, padded.shape[1], 256):
            stream = BytesIO()
            tile = Image.fromarray(padded[top : top + 256, left : left + 256])
            tile.save(stream, "JPEG", quality=92, subsampling=1)
            frames.append(stream.getvalue())
    return frames
