"""DICOM: frames of every coding that microscopes use, and a single microscopic picture.

Needs pydicom, of the `slides` extra; without it DICOM is a format that is not read. Of a header
only what says how pixels are coded is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from healer.errors.request import TooManyPixels, TruncatedImage, UnsupportedFormat
from healer.images.tiff_coding import ycbcr_to_rgb
from healer.images.tile import Tile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Pixels = NDArray[np.uint8]
JPEG, JPEG_LS_FRAME = b"\xff\xd8\xff", 0xF7
FRAMES = frozenset({*range(0xC0, 0xD0), JPEG_LS_FRAME}) - {0xC4, 0xC8, 0xCC}
JPEG_2000, JP2 = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"
JFIF_AT = 6

NAME = "DICOM"
# VL Microscopic, and VL Slide-Coordinates Microscopic, Image Storage.
MICROSCOPIC = ("1.2.840.10008.5.1.4.1.1.77.1.2", "1.2.840.10008.5.1.4.1.1.77.1.3")
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
SLIDE_ADVICE = (
    "It is answered as a slide: by the service where it lies in the folder HEALER_SLIDES, by "
    "`healer slide FOLDER`, or by `healer slide --dicomweb URL --series UID` where an archive "
    "holds it."
)
DEFLATED, DEFLATED_WITHIN = b"1.2.840.10008.1.2.1.99", 1024  # inflated whole, however large


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What a frame holds, by its header; which coding it is in shows at its beginning."""

    rows: int
    columns: int
    photometric: str


def read_dicom(data: bytes, *, max_pixels: int) -> Tile:
    """A microscopic picture of one frame. Raises ImageError."""
    header = _header(data)
    kind = str(header.get("SOPClassUID", ""))
    if kind == WHOLE_SLIDE:
        raise UnsupportedFormat("a part of a whole slide in DICOM", SLIDE_ADVICE)
    if kind not in MICROSCOPIC:
        raise UnsupportedFormat(NAME)
    if int(header.get("NumberOfFrames", 1) or 1) != 1:
        raise UnsupportedFormat("DICOM of several frames")
    if (header.get("SamplesPerPixel"), header.get("BitsAllocated")) != (3, 8):
        raise UnsupportedFormat("DICOM that is not of red, green and blue with 8 bits each")
    form = FrameFormat(int(header.Rows), int(header.Columns), str(header.PhotometricInterpretation))
    if form.rows * form.columns > max_pixels:
        raise TooManyPixels(form.columns, form.rows, max_pixels)
    return Tile(pixels=decode_frame(_frame(data), form))


def _header(data: bytes) -> Dataset:
    """Raises UnsupportedFormat where it is none, or where pydicom is missing."""
    try:
        import pydicom
    except ImportError:
        raise UnsupportedFormat(NAME) from None
    if DEFLATED in data[:DEFLATED_WITHIN]:
        raise UnsupportedFormat("deflated DICOM")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # no warning quotes it
    try:
        return pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
    except MemoryError:
        raise
    except Exception:  # whatever noise makes of a header
        raise UnsupportedFormat(NAME) from None


def _frame(data: bytes) -> bytes:
    """Raises TruncatedImage."""
    import pydicom
    from pydicom.encaps import generate_frames

    dataset = pydicom.dcmread(BytesIO(data))
    if "PixelData" not in dataset:
        raise TruncatedImage("it holds no pixels")
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        if dataset.get("PlanarConfiguration", 0) != 0:
            raise UnsupportedFormat("DICOM in planes of one colour")
        return bytes(dataset.PixelData)
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def decode_frame(data: bytes, form: FrameFormat) -> Pixels:
    """RGB (rows, columns, 3). Raises TruncatedImage, and what a codec does."""
    pixels = np.asarray(_decoded(data, form))
    if pixels.shape != (form.rows, form.columns, 3) or pixels.dtype != np.uint8:
        raise TruncatedImage("a frame holds another picture than its header says")
    return pixels


def _decoded(data: bytes, form: FrameFormat) -> Pixels:
    is_rgb = form.photometric == "RGB"
    if data.startswith(JPEG) and _frame_marker(data) == JPEG_LS_FRAME:
        return _converted(imagecodecs.jpegls_decode(data), form)
    if data.startswith(JPEG):
        is_jfif = data[JFIF_AT:].startswith(b"JFIF")  # which holds YCbCr, whatever the header says
        colour = "RGB" if is_rgb and not is_jfif else None
        decoded: Pixels = imagecodecs.jpeg8_decode(data, colorspace=colour, outcolorspace="RGB")
        return decoded
    if data.startswith((JPEG_2000, JP2)):
        return _converted(imagecodecs.jpeg2k_decode(data), form)
    size = form.rows * form.columns * 3
    if len(data) < size:
        raise TruncatedImage("a frame is in a coding that is not read, or cut short")
    plain = np.frombuffer(data[:size], np.uint8).reshape(form.rows, form.columns, 3)
    return _converted(plain, form)


def _frame_marker(data: bytes) -> int | None:
    """That of a JPEG's first frame, which says how it is coded."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if (marker := data[at + 1]) in FRAMES:
            return marker
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _converted(pixels: Pixels, form: FrameFormat) -> Pixels:
    """JPEG 2000's own transforms (ICT, RCT) are undone by its codec; YBR_FULL is not."""
    return ycbcr_to_rgb(pixels) if form.photometric == "YBR_FULL" else pixels
