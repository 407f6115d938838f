"""Which of the scales that a slide states is believed, and when none is."""

from __future__ import annotations

import pytest

from healer.errors.slides import NoResolution, ResolutionContradictory
from healer.slides.reader import Resolution
from healer.slides.slide_file import StatedResolution, reconcile, stated

APERIO = stated("aperio metadata", "0.499", "0.499")
TAGS_72_DPI = stated("TIFF tags", 25_400 / 72, 25_400 / 72)


def test_the_first_source_is_believed_where_the_others_agree() -> None:
    tags = stated("TIFF tags", 0.5, 0.5)
    assert reconcile([APERIO, tags], 20.0) == Resolution(0.499, 0.499, "aperio metadata")


def test_a_default_of_a_screen_contradicts_nothing() -> None:
    assert reconcile([TAGS_72_DPI, APERIO]).source == "aperio metadata"


def test_pixels_may_be_oblong() -> None:
    found = reconcile([stated("OME-XML", 0.5, 0.25)])
    assert (found.x, found.y) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([], "it says nothing about it"),
        ([TAGS_72_DPI], "TIFF tags: 352.8 µm, which is implausible"),
        ([stated("OME-XML", 0.5, None)], "OME-XML: none"),
        ([stated("OME-XML", "nan", "inf")], "it says nothing about it"),
        ([stated("OME-XML", 0.01, 0.01)], "OME-XML: 0.01 µm, which is implausible"),
    ],
)
def test_without_a_plausible_one_it_says_what_each_source_holds(
    statements: list[StatedResolution], says: str
) -> None:
    with pytest.raises(NoResolution, match="state how many micrometres") as refused:
        reconcile(statements)
    assert refused.value.sources == says


def test_an_objective_alone_says_nothing() -> None:
    with pytest.raises(NoResolution, match=r"objective: 40×"):
        reconcile([], 40.0)


@pytest.mark.parametrize(
    ("statements", "magnification"),
    [
        ([APERIO, stated("TIFF tags", 0.25, 0.25)], None),
        ([APERIO, stated("TIFF tags", 0.499, 0.25)], None),
        ([stated("OME-XML", 0.5, 0.1)], None),
        ([stated("OME-XML", 8.0, 8.0)], 40.0),
    ],
)
def test_what_cannot_all_be_true_is_refused(
    statements: list[StatedResolution], magnification: float | None
) -> None:
    with pytest.raises(ResolutionContradictory) as refused:
        reconcile(statements, magnification)
    for statement in statements:
        assert statement.in_words in refused.value.sources


@pytest.mark.parametrize(("um", "magnification"), [(0.228, 40), (0.23, 20), (0.499, 20), (1, 10)])
def test_scanners_that_exist_agree_with_their_objective(um: float, magnification: float) -> None:
    assert reconcile([stated("a scanner", um, um)], magnification).x == um
