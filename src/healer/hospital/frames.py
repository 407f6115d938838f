"""`python -m healer.hospital.frames`: decodes frames that came from an archive, one at a time,
where a bad one may crash it without harm."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from healer.errors.request import ImageTooCostly
from healer.errors.slides import SlideDamaged
from healer.images.tiff_coding import ycbcr_to_rgb
from healer.sandbox.loader import STOPPED, SandboxedProcess
from healer.sandbox.process import main
from healer.sandbox.protocol import Limits, SharedBuffer

MODULE = "healer.hospital.frames"
LIMITS = Limits(max_pixels=4 * 1024 * 1024, max_bytes=32 * 1024 * 1024, seconds=20.0)
JPEG, JPEG_LS_FRAME = b"\xff\xd8\xff", 0xF7
FRAMES = frozenset({*range(0xC0, 0xD0), JPEG_LS_FRAME}) - {0xC4, 0xC8, 0xCC}
JPEG_2000, JP2 = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"
JFIF_AT = 6
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What a frame holds, by its header; which coding it is in shows at its beginning."""

    rows: int
    columns: int
    photometric: str


def decode(data: bytes, form: FrameFormat) -> Pixels:
    """RGB (rows, columns, 3). Raises SlideDamaged, and what a codec does."""
    pixels = np.asarray(_decoded(data, form))
    if pixels.shape != (form.rows, form.columns, 3) or pixels.dtype != np.uint8:
        raise SlideDamaged("a frame holds another picture than its header says")
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
        raise SlideDamaged("a frame is in a coding that is not read, or cut short")
    return _converted(
        np.frombuffer(data[:size], np.uint8).reshape(form.rows, form.columns, 3), form
    )


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


class FrameProcess(SandboxedProcess):
    """Raises SlideDamaged, ModelNotReady, and ImageTooCostly and ImageReaderLost, after which it is
    dead."""

    def __init__(self) -> None:
        super().__init__(LIMITS, MODULE)

    def decode(self, data: bytes, form: FrameFormat) -> Pixels:
        if len(data) > LIMITS.max_bytes:
            raise SlideDamaged("a frame is larger than 32 MB")
        self.buffer.write(data)
        reply = json.loads(self.exchange(json.dumps([len(data), asdict(form)]).encode()))
        if reply is not None:
            raise SlideDamaged(str(reply))
        try:
            return self.buffer.pixels(form.rows, form.columns)
        except EOFError:
            self.kill()
            raise ImageTooCostly(STOPPED) from None


def _answer(buffer: SharedBuffer, message: bytes) -> bytes:
    """None where the buffer holds the pixels, or why it does not."""
    size, form = json.loads(message)
    reason: str | None = None
    try:
        pixels = decode(buffer.read(size), FrameFormat(**form))
        buffer.write(np.ascontiguousarray(pixels).data)
    except SlideDamaged as error:
        reason = error.reason
    except Exception as error:  # whatever a codec makes of a damaged frame
        reason = type(error).__name__
    return json.dumps(reason).encode()


if __name__ == "__main__":
    (socket, handle), values = json.loads(sys.argv[1])
    shared = SharedBuffer(handle)
    main(socket, Limits(**values), lambda message: _answer(shared, message), gives_way=False)
