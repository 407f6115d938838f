"""Files of several pictures: one is never taken for all."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from healer import errors
from healer.images.decode import decode
from healer.images.tile import Tile
from tests.images.codings import grey, shown, written
from tests.images.hostile.parts import encode, tissue

Pixels = NDArray[np.uint8]
LARGE: Pixels = np.asarray(tissue(192))
OTHER: Pixels = np.asarray(tissue(192, seed=9))
HALF: Pixels = np.asarray(Image.fromarray(LARGE).resize((96, 96), Image.Resampling.BOX))
PLANES = np.ascontiguousarray(shown().transpose(2, 0, 1))
RED, GREEN, BLUE = -16_776_961, 16_711_935, 65_535  # OME's Color: RGBA as a signed number


def read(data: bytes, page: int | None = None) -> Tile:
    return decode(data, max_pixels=1_000_000, page=page)


def pages(*each: tuple[Pixels, dict[str, Any]]) -> bytes:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for pixels, options in each:
            writer.write(pixels, photometric="rgb", metadata=None, **options)
    return buffer.getvalue()


def noted(samples: NDArray[Any], **options: Any) -> bytes:  # noqa: ANN401 - tifffile's own
    """With a description, as OME-TIFF, ImageJ or tifffile itself writes it."""
    buffer = BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def test_several_pages_are_refused_with_their_number_and_what_to_do() -> None:
    data = pages((LARGE, {}), (OTHER, {}), (LARGE, {}))
    with pytest.raises(errors.UnsupportedFormat) as caught:
        read(data)
    for words in ("a TIFF of 3 pages", "form field page", "--page N"):
        assert words in str(caught.value)


@pytest.mark.parametrize(("page", "pixels"), [(1, LARGE), (2, OTHER)])
def test_a_page_is_chosen_by_its_number(page: int, pixels: Pixels) -> None:
    tile = read(pages((LARGE, {}), (OTHER, {})), page)
    assert np.array_equal(tile.pixels, pixels)
    assert tile.page == page


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_a_frame_is_chosen_by_its_number(format_: str) -> None:
    frames: dict[str, object] = {"save_all": True, "append_images": [tissue(seed=8)]}
    data = encode(tissue(), format_, **frames, **({"lossless": True} if format_ == "WEBP" else {}))
    tile = read(data, 2)
    assert np.array_equal(tile.pixels, np.asarray(tissue(seed=8)))
    assert tile.page == 2


@pytest.mark.parametrize("data", [pages((LARGE, {}), (OTHER, {})), encode(tissue(), "PNG")])
def test_a_page_that_is_not_there(data: bytes) -> None:
    with pytest.raises(errors.PageNotFound, match="has no page 3"):
        read(data, 3)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_the_first_page_of_one_is_the_picture(format_: str) -> None:
    data = encode(tissue(), format_)
    assert np.array_equal(read(data, 1).pixels, read(data).pixels)
    assert read(data, 1).page is None


@pytest.mark.parametrize(
    ("data", "page"),
    [
        (pages((LARGE, {}), (HALF, {"subfiletype": 1})), 1),
        (pages((HALF, {"subfiletype": 1}), (LARGE, {})), 2),
        (pages((LARGE, {}), (HALF, {}), (np.ascontiguousarray(LARGE[::4, ::4]), {})), 1),
    ],
    ids=["a preview", "a preview first", "a pyramid that says nothing"],
)
def test_smaller_copies_are_no_further_pages(data: bytes, page: int) -> None:
    tile = read(data)
    assert np.array_equal(tile.pixels, LARGE)
    assert tile.page == page


def test_a_pyramid_in_sub_directories_is_one_picture() -> None:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(LARGE, photometric="rgb", metadata=None, subifds=1)
        writer.write(HALF, photometric="rgb", metadata=None, subfiletype=1)
    assert np.array_equal(read(buffer.getvalue()).pixels, LARGE)


@pytest.mark.parametrize(
    "second",
    [np.asarray(tissue(96, seed=9)), np.ascontiguousarray(255 - HALF), np.asarray(tissue(160))],
    ids=["smaller", "smaller and inverted", "nearly as large"],
)
def test_another_picture_is_a_further_page_whatever_its_size(second: Pixels) -> None:
    with pytest.raises(errors.UnsupportedFormat, match="2 pages"):
        read(pages((LARGE, {}), (second, {})))


def test_a_preview_whose_picture_lies_behind_it_is_not_taken_for_it() -> None:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(HALF, photometric="rgb", metadata=None, subifds=1, subfiletype=1)
        writer.write(LARGE, photometric="rgb", metadata=None)
    with pytest.raises(errors.UnsupportedFormat, match="SubIFD"):
        read(buffer.getvalue())


@pytest.mark.parametrize(
    "channel",
    [{"Name": ["Red", "Green", "Blue"]}, {"Color": [RED, GREEN, BLUE]}],
    ids=["by name", "by colour"],
)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_three_channels_that_say_they_are_rgb_are_put_together(
    channel: dict[str, list[object]], order: tuple[int, ...]
) -> None:
    order_of = {name: [values[place] for place in order] for name, values in channel.items()}
    data = noted(
        np.ascontiguousarray(PLANES[list(order)]), ome=True, photometric="minisblack",
        metadata={"axes": "CYX", "Channel": order_of},
    )  # fmt: skip
    assert np.array_equal(read(data).pixels, shown())


@pytest.mark.parametrize("page", [None, 1])
@pytest.mark.parametrize(
    ("writer", "options"),
    [
        ("OME-TIFF", {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}}),
        ("ImageJ", {"imagej": True, "metadata": {"axes": "CYX"}}),
    ],
)
def test_a_channel_a_page_is_refused_for_that_reason(
    writer: str, options: dict[str, Any], page: int | None
) -> None:
    with pytest.raises(errors.UnsupportedFormat) as caught:
        read(noted(PLANES, **options), page)
    assert f"3 channels, one a page ({writer})" in str(caught.value)


def test_channels_of_other_dyes_are_no_rgb() -> None:
    dyes = {"axes": "CYX", "Channel": {"Name": ["DAPI", "FITC", "Blue"]}}
    with pytest.raises(errors.UnsupportedFormat, match="one a page"):
        read(noted(PLANES, ome=True, photometric="minisblack", metadata=dyes))


@pytest.mark.parametrize("options", [{"ome": True}, {"imagej": True}, {}])
def test_an_rgb_picture_with_a_description_is_read(options: dict[str, Any]) -> None:
    assert np.array_equal(read(noted(shown(), photometric="rgb", **options)).pixels, shown())


@pytest.mark.parametrize("options", [{"ome": True}, {}, {"metadata": {"truncate": True}}])
def test_a_stack_of_rgb_pictures_is_several(options: dict[str, Any]) -> None:
    stack = np.stack([shown(), 255 - shown()])
    with pytest.raises(errors.UnsupportedFormat, match="of 2 p"):
        read(noted(stack, photometric="rgb", **options))


def test_pages_of_grey_are_several() -> None:
    with pytest.raises(errors.UnsupportedFormat, match="3 pages"):
        read(noted(np.stack([grey()] * 3), photometric="minisblack", metadata=None))


def test_a_file_cut_before_its_second_page_is_damaged() -> None:
    data = pages((LARGE, {}), (OTHER, {}))
    with pytest.raises(errors.TruncatedImage):
        read(data[: len(written(LARGE)) + 8])


def test_the_second_page_of_a_cut_file_is_damaged() -> None:
    data = pages((LARGE, {}), (OTHER, {}))
    with pytest.raises(errors.TruncatedImage):
        read(data[:-2000], 2)
