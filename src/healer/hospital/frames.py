"""`python -m healer.hospital.frames`: decodes frames that came from an archive, one at a time,
where a bad one may crash it without harm."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from healer.errors.request import ImageTooCostly, TruncatedImage
from healer.errors.slides import SlideDamaged
from healer.images.dicom import FrameFormat, decode_frame
from healer.sandbox.loader import STOPPED, SandboxedProcess
from healer.sandbox.process import main
from healer.sandbox.protocol import Limits, SharedBuffer

MODULE = "healer.hospital.frames"
LIMITS = Limits(max_pixels=4 * 1024 * 1024, max_bytes=32 * 1024 * 1024, seconds=20.0)
Pixels = NDArray[np.uint8]


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
        pixels = decode_frame(buffer.read(size), FrameFormat(**form))
        buffer.write(np.ascontiguousarray(pixels).data)
    except TruncatedImage as error:
        reason = error.reason
    except Exception as error:  # whatever a codec makes of a damaged frame
        reason = type(error).__name__
    return json.dumps(reason).encode()


if __name__ == "__main__":
    (socket, handle), values = json.loads(sys.argv[1])
    shared = SharedBuffer(handle)
    main(socket, Limits(**values), lambda message: _answer(shared, message), gives_way=False)
