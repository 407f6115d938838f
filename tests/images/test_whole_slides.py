"""A whole slide small enough to be decoded is answered, with a hint where slides are answered."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from healer.images.decode import decode
from healer.screening.screener import WHOLE_SLIDE, Screener, known_tile
from tests.fake_engine import FakeEngine

FIELD = known_tile(512).pixels


def tiff(*pages: NDArray[np.uint8], description: str = "", reduced: bool = False) -> bytes:
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for number, page in enumerate(pages):
            writer.write(
                page,
                photometric="rgb",
                description=description if number == 0 else None,
                subfiletype=1 if number and reduced else 0,
                metadata=None,
            )
    return stream.getvalue()


def warnings_of(data: bytes, page: int | None = None) -> list[str]:
    tile = decode(data, max_pixels=40_000_000, page=page)
    [score] = Screener(FakeEngine()).score([tile])
    return [warning.code for warning in score.warnings]


@pytest.mark.parametrize(
    ("data", "levels"),
    [
        (tiff(FIELD, FIELD[::2, ::2], FIELD[::4, ::4], reduced=True), 3),
        (tiff(FIELD, FIELD[::2, ::2], description="Aperio Image Library v1", reduced=True), 2),
    ],
)
def test_a_pyramid_is_a_whole_slide(data: bytes, levels: int) -> None:
    assert decode(data, max_pixels=40_000_000).levels == levels
    assert WHOLE_SLIDE in warnings_of(data)


@pytest.mark.parametrize(
    "data",
    [
        tiff(FIELD),
        tiff(FIELD, FIELD[::2, ::2], reduced=True),  # a preview, as cameras put beside a picture
        tiff(FIELD, description="Aperio Image Library v1"),  # a field exported from a slide
    ],
)
def test_a_field_of_view_is_none(data: bytes) -> None:
    assert decode(data, max_pixels=40_000_000).levels == 0
    assert WHOLE_SLIDE not in warnings_of(data)


def test_a_page_that_was_chosen_is_a_field_of_view() -> None:
    data = tiff(FIELD, FIELD[::2, ::2], FIELD[::4, ::4], reduced=True)
    assert WHOLE_SLIDE not in warnings_of(data, page=2)


def test_a_real_slide_is_one(data_dir: Path) -> None:
    file = data_dir / "slides/cmu-1-small-region.svs"
    assert WHOLE_SLIDE in warnings_of(file.read_bytes())
