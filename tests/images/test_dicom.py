"""A microscopic picture in DICOM is read; a whole slide is sent where slides are answered."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="DICOM needs healer[slides]")

import imagecodecs
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    generate_uid,
)

from healer.errors.request import TooManyPixels, TruncatedImage, UnsupportedFormat
from healer.images.decode import decode
from healer.images.dicom import MICROSCOPIC, WHOLE_SLIDE, FrameFormat, decode_frame

WIDTH, HEIGHT = 96, 64
PIXELS = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
PICTURE = PIXELS.repeat(8, 0).repeat(8, 1)


def dicom(
    syntax: UID = ExplicitVRLittleEndian, frame: bytes | None = None, **more: object
) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(MICROSCOPIC[0])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName = "CANARY^Patient"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = HEIGHT, WIDTH, 3
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PlanarConfiguration = 7, 0, 0
    dataset.PhotometricInterpretation = "RGB"
    data = PICTURE.tobytes() if frame is None else frame
    dataset.PixelData = encapsulate([data]) if UID(syntax).is_encapsulated else data
    dataset["PixelData"].VR = "OB"
    for name, value in more.items():
        setattr(dataset, name, value)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def coded(syntax: UID) -> bytes:
    if syntax == JPEG2000Lossless:
        encoded = imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", reversible=True)
    elif syntax == JPEGLSLossless:
        encoded = imagecodecs.jpegls_encode(PICTURE)
    else:
        encoded = imagecodecs.jpeg8_encode(PICTURE, level=98, subsampling="444")
    return bytes(encoded)


@pytest.mark.parametrize("kind", MICROSCOPIC)
def test_a_microscopic_picture_is_read(kind: str) -> None:
    tile = decode(dicom(SOPClassUID=UID(kind)), max_pixels=10_000)
    assert (tile.pixels == PICTURE).all()


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGBaseline8Bit])
def test_in_every_coding_that_microscopes_use(syntax: UID) -> None:
    tile = decode(dicom(syntax, coded(syntax)), max_pixels=10_000)
    lossy = 6 if syntax == JPEGBaseline8Bit else 0
    assert np.abs(tile.pixels.astype(int) - PICTURE).mean() <= lossy


def test_a_whole_slide_is_sent_where_slides_are_answered() -> None:
    with pytest.raises(UnsupportedFormat, match="as a slide"):
        decode(dicom(SOPClassUID=UID(WHOLE_SLIDE)), max_pixels=10_000)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (dicom(SOPClassUID=UID("1.2.840.10008.5.1.4.1.1.2")), "is DICOM"),
        (dicom(NumberOfFrames=2), "several frames"),
        (dicom(SamplesPerPixel=1), "not of red, green and blue"),
        (dicom(BitsAllocated=16), "not of red, green and blue"),
        (dicom(PlanarConfiguration=1), "planes"),
        (dicom(DeflatedExplicitVRLittleEndian), "deflated"),
    ],
)
def test_other_dicom_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(UnsupportedFormat, match=why):
        decode(data, max_pixels=10_000)


def test_its_size_is_known_from_the_header() -> None:
    with pytest.raises(TooManyPixels):
        decode(dicom(Rows=60_000, Columns=60_000), max_pixels=10_000)


@pytest.mark.parametrize("length", [200, 600, 2000, 10_000])
def test_what_is_cut_short_is_refused_and_quotes_nothing(length: int) -> None:
    with pytest.raises((UnsupportedFormat, TruncatedImage)) as refused:
        decode(dicom()[:length], max_pixels=10_000)
    assert "CANARY" not in str(refused.value)


def test_a_frame_of_another_size_than_its_header_says_is_damaged() -> None:
    with pytest.raises(TruncatedImage, match="another picture"):
        decode_frame(coded(JPEG2000Lossless), FrameFormat(256, 256, "RGB"))
    with pytest.raises(TruncatedImage, match="cut short"):
        decode_frame(b"x" * 100, FrameFormat(256, 256, "RGB"))
