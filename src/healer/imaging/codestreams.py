"""What a compressed picture says of itself in its header, read before any decoder is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, RST0 to RST7, SOI: markers without a length
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # among the frame markers, and none of them: DHT, JPG, DAC
_START_OF_SCAN, _END = 0xDA, 0xD9
JPEG_LS = 0xF7
_PROCESSES = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xCB: "lossless JPEG with arithmetic coding",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "hierarchical JPEG",
    JPEG_LS: "JPEG-LS",
}
_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC, then SIZ: where each JPEG 2000 codestream begins
_WITHIN = 4096  # a JP2's boxes before its codestream are far fewer bytes
_COD = 0xFF52
_START_OF_TILE = 0xFF90


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The start-of-frame segment; `process` is its marker's second byte."""

    process: int
    precision: int
    height: int
    width: int
    components: int

    def unusual(self) -> str | None:
        """The coding's name, where it is none that ordinary JPEG readers read."""
        if self.process in _PROCESSES:
            return f"a {self.precision}-bit {_PROCESSES[self.process]}"
        if self.precision != 8:
            return f"a {self.precision}-bit JPEG"
        if self.components == 2:
            return "a JPEG with 2 components"
        if self.height == 0:
            return "a JPEG that gives its height only behind its first scan (DNL)"
        return None


@dataclass(frozen=True, slots=True)
class Jpeg2000Header:
    """`colour_transform` says that a decoder gives RGB; `even` that no component is subsampled."""

    height: int
    width: int
    components: int
    colour_transform: bool
    even: bool


def jpeg_frame(data: bytes | memoryview) -> JpegFrame | None:
    """None where no frame is found before the first scan."""
    for marker, body in _jpeg_segments(data):
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME) or marker == JPEG_LS:
            if len(body) < 6:
                return None
            height, width = _big(body[1:3]), _big(body[3:5])
            return JpegFrame(marker, body[0], height, width, body[5])
    return None


def _jpeg_segments(data: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (_START_OF_SCAN, _END):
            return
        length = _big(data[at + 2 : at + 4])
        yield marker, bytes(data[at + 4 : at + min(2 + length, 12)])
        at += 2 + max(2, length)


def jpeg2000_header(data: bytes | memoryview) -> Jpeg2000Header | None:
    """Of a codestream, or of a JP2 file around one; None where there is none."""
    start = bytes(data[:_WITHIN]).find(_CODESTREAM)
    size = bytes(data[start + 4 : start + 42])
    if start < 0 or len(size) < 38:
        return None
    right, bottom, left, top = (_big(size[at : at + 4]) for at in (4, 8, 12, 16))
    components = _big(size[36:38])
    steps = bytes(data[start + 42 : start + 42 + 3 * components])
    return Jpeg2000Header(
        height=bottom - top,
        width=right - left,
        components=components,
        colour_transform=_transforms(data, start + 4 + _big(size[:2])),
        even=all(step == 1 for at in range(0, len(steps), 3) for step in steps[at + 1 : at + 3]),
    )


def _transforms(data: bytes | memoryview, at: int) -> bool:
    while at + 9 <= len(data):
        marker = _big(data[at : at + 2])
        if marker == _COD:
            return data[at + 8] == 1
        if marker >= _START_OF_TILE or marker < 0xFF00:
            return False
        at += 2 + max(2, _big(data[at + 2 : at + 4]))
    return False


def _big(number: bytes | memoryview) -> int:
    return int.from_bytes(number, "big")
