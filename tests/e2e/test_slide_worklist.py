"""The worklist of slides, on folders that a test decides: filters, keys, scale, a reader's word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import live
from tests.e2e.slide_stand_in import SlideStandIn, mixed, slide

APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark, phone": {"color_scheme": "dark", "viewport": NARROW},
    "4K": {"viewport": {"width": 3840, "height": 2160}},
}
OpenSlides = Callable[..., Page]


@pytest.fixture
def open_slides(open_page: OpenPage) -> Iterator[OpenSlides]:
    with ExitStack() as stack:

        def opened(stand_in: SlideStandIn, **options: Any) -> Page:  # noqa: ANN401
            url = stack.enter_context(live(stand_in.app()))
            return open_page(f"{url}/#/slides", **options)

        yield opened


def row(page: Page, number: int) -> Locator:
    return page.locator(f"[data-slide='{number:032x}']")


def rows(page: Page) -> Locator:
    return page.locator("[data-slide]")


def test_each_state_is_listed_most_suspicious_first(open_slides: OpenSlides) -> None:
    page = open_slides(mixed())
    expect(rows(page)).to_have_count(9)
    expect(rows(page).first).to_contain_text("Yes97.0 %2.50 mm² positive · 98.1 % of tissue read")
    expect(row(page, 1)).to_contain_text("High-grade likely")
    expect(row(page, 3)).to_contain_text("Reading, 30 %, 1 min left")
    expect(row(page, 4)).to_contain_text("Waiting")
    expect(row(page, 5)).to_contain_text("does not state its resolution")
    expect(row(page, 6)).to_contain_text("Out of date")
    expect(row(page, 7)).to_contain_text("Cancelled")
    expect(row(page, 8)).to_contain_text(
        "Slide 00000000"
    )  # nameless, as its name is not to be known
    expect(rows(page).last).to_contain_text("No2.0 %")
    row(page, 6).get_by_role("button").first.click()
    expect(desk.result(page)).to_contain_text("Another calibration is served now.")


def test_five_thousand_slides_are_listed_without_drawing_them_all(open_slides: OpenSlides) -> None:
    stand_in = SlideStandIn([slide(number) for number in range(5000)])
    page = open_slides(stand_in)
    expect(page.get_by_text("0 of 5000 slides read")).to_be_visible()
    assert rows(page).count() < 40
    requests = stand_in.list_requests
    page.locator("[data-slide-list]").evaluate("list => { list.scrollTop = list.scrollHeight; }")
    expect(row(page, 4999)).to_be_visible()
    assert rows(page).count() < 40
    assert stand_in.list_requests - requests < 5


def test_everything_is_done_by_key(open_slides: OpenSlides) -> None:
    stand_in = mixed()
    page = open_slides(stand_in)
    expect(rows(page).first.get_by_role("button").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, 1).get_by_role("button").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    expect(row(page, 6).get_by_role("button").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("r")
    expect(row(page, 6)).to_contain_text("Waiting")
    page.keyboard.press("Delete")
    expect(row(page, 6)).to_contain_text("Cancelled")
    page.keyboard.press("p")
    expect(page.get_by_text("paused")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("paused")).to_have_count(0)
    page.keyboard.press("?")
    help_dialog = page.get_by_role("dialog", name="Keyboard")
    expect(help_dialog).to_contain_text("Read the slide")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/#/slides/{0:032x}*")


def test_everything_is_read_paused_and_cancelled(open_slides: OpenSlides) -> None:
    stand_in = SlideStandIn([slide(number) for number in range(12)])
    page = open_slides(stand_in)
    page.get_by_role("button", name="Read all 12").click()
    expect(page.get_by_text("12 to go · about 2 min left")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("12 to go · paused")).to_be_visible()
    assert stand_in.paused
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Cancel all").click()
    expect(page.get_by_role("button", name="Read all 12")).to_be_visible()
    assert not stand_in.paused


def test_a_slide_without_a_scale_is_asked_for_it_and_read(open_slides: OpenSlides) -> None:
    stand_in = mixed()
    page = open_slides(stand_in)
    row(page, 5).get_by_role("button", name="Read").click()
    scale = page.get_by_label("µm per pixel")
    expect(scale).to_be_focused()
    scale.fill("25")
    scale.press("Enter")
    assert stand_in.readings == []  # no scanner has that: the browser says so
    scale.fill("0.25")
    scale.press("Enter")
    expect(row(page, 5)).to_contain_text("Waiting")
    expect(scale).to_have_count(0)
    assert stand_in.readings == [(f"{5:032x}", {"mpp": 0.25})]


def test_a_reader_disagrees_and_the_list_is_narrowed_to_that(open_slides: OpenSlides) -> None:
    stand_in = mixed()
    page = open_slides(stand_in)
    expect(desk.result(page).get_by_role("button", name="Save")).to_be_disabled()
    page.keyboard.press("d")
    page.get_by_label("Your diagnosis").select_option("Low-grade dysplasia")
    page.get_by_label("Note").fill("crypts only")
    expect(desk.result(page)).to_contain_text("Not saved yet.")
    page.get_by_label("Note").press("Control+Enter")
    expect(desk.result(page)).to_contain_text("Your word is in the service's log.")
    expect(desk.result(page)).to_contain_text("A reader disagrees: Low-grade dysplasia")
    expect(row(page, 0)).to_contain_text("reader disagrees")
    assert [(each["agreement"], each["diagnosis"], each["note"]) for each in stand_in.reviews] == [
        ("disagree", "low_grade", "crypts only")
    ]
    page.get_by_label("Reader").select_option("Disagreement")
    expect(rows(page)).to_have_count(1)
    expect(desk.result(page)).to_contain_text("3 slides · 3 read · worst: Yes · 1 disagreement")
    page.get_by_label("Reader").select_option("Any")
    page.get_by_label("Verdict").select_option("No")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Failed").click()
    page.get_by_role("button", name="Show all").click()
    expect(rows(page)).to_have_count(9)


def test_a_word_outlives_a_refusal_and_a_lost_service(
    open_slides: OpenSlides,
) -> None:
    stand_in = mixed()
    refusal = {"code": "audit_unavailable", "title": "Busy", "detail": "The log is busy."}
    stand_in.refusals.append((503, {**refusal, "status": 503, "retryable": True}))
    page = open_slides(stand_in)
    page.get_by_role("button", name="Agree", exact=True).click()
    page.keyboard.press("s")
    expect(desk.result(page)).to_contain_text("The log is busy.")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(desk.result(page)).to_contain_text("Your word is in the service's log.")
    page.keyboard.press("d")
    page.context.set_offline(True)
    page.keyboard.press("s")
    expect(desk.result(page)).to_contain_text("Your word is sent once it answers.")
    page.context.set_offline(False)
    expect(desk.result(page)).to_contain_text("Your word is in the service's log.")
    assert [each["agreement"] for each in stand_in.reviews] == ["agree", "disagree"]


def test_slides_and_tiles_of_one_case_are_one_line(
    open_slides: OpenSlides,
    tumour: Any,  # noqa: ANN401 - a path
) -> None:
    page = open_slides(mixed())
    expect(rows(page)).to_have_count(9)
    desk.drop(page, tumour)  # from anywhere, to the tiles
    expect(page.get_by_role("link", name="Tiles")).to_have_attribute("aria-current", "page")
    desk.finished(page, 1, 1)
    page.get_by_label("Case").fill("case-0000")
    page.get_by_role("link", name="Slides").click()
    expect(desk.result(page)).to_contain_text("3 slides · 3 read · worst: Yes · 1 tile of this")
    page.get_by_role("button", name="Only this case").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_role("button", name="All cases").first.click()
    expect(rows(page)).to_have_count(9)


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_axe_finds_nothing(appearance: str, open_slides: OpenSlides, axe: str) -> None:
    page = open_slides(mixed(), reduced_motion="reduce", **APPEARANCES[appearance])
    expect(rows(page).first).to_be_visible()
    assert desk.faults(page, axe) == []
    for number in (0, 5, 6):
        row(page, number).get_by_role("button").first.click()
        expect(desk.result(page)).to_contain_text(f"slide-{number:04}")
        assert desk.faults(page, axe) == []
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
