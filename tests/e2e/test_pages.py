"""Files of several pages: one is chosen, shown and answered."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving
from tests.e2e.test_exports import saved

CENTRE_IS_BLANK = """(blank) => {
    const canvas = document.querySelector('[data-viewer] canvas');
    if (!canvas) return false;
    const copy = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, -canvas.width / 2, -canvas.height / 2);
    const [red, green, blue, opacity] = copy.getImageData(0, 0, 1, 1).data;
    return opacity === 255 && blank === (Math.min(red, green, blue) > 250);
}"""


def write_pages(path: Path, *pages: Path | None) -> Path:
    """A TIFF of these pictures; None is a white page."""
    images = [
        Image.open(page).convert("RGB") if page else Image.new("RGB", (224, 224), "white")
        for page in pages
    ]
    images[0].save(path, save_all=True, append_images=images[1:], compression="tiff_lzw")
    return path


def choose_page(page: Page, number: int) -> None:
    page.get_by_label("Page", exact=True).select_option(f"Page {number}")


def test_a_page_of_several_is_chosen_shown_and_answered(
    open_page: OpenPage, serving: Serving, tumour: Path, normal: Path, tmp_path: Path, axe: str
) -> None:
    file = write_pages(tmp_path / "stack.tif", None, tumour, normal)
    page = open_page(serving.url, reduced_motion="reduce")
    desk.choose(page, file)
    expect(desk.result(page)).to_contain_text("This file has 3 pages.")
    options = page.get_by_label("Page", exact=True).locator("option")
    assert options.all_inner_texts() == ["Page 1", "Page 2", "Page 3"]
    page.wait_for_function(CENTRE_IS_BLANK, arg=True)
    assert desk.faults(page, axe) == []

    choose_page(page, 2)
    page.wait_for_function(CENTRE_IS_BLANK, arg=False)
    page.get_by_role("button", name="Answer this page").click()
    desk.verdict(page, "Yes")
    expect(desk.result(page)).to_contain_text("224 × 224 px, page 2")

    choose_page(page, 3)
    desk.verdict(page, "Yes")  # until the other page is sent
    page.get_by_role("button", name="Answer this page").click()
    desk.verdict(page, "No")
    expect(desk.result(page)).to_contain_text("224 × 224 px, page 3")
    with saved(page, "CSV", tmp_path).open(encoding="utf-8-sig", newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["verdict"], row["page"]) == ("no", "3")


def test_the_chosen_page_is_stored_where_that_was_chosen(
    open_page: OpenPage, serving: Serving, tumour: Path, tmp_path: Path
) -> None:
    page = open_page(serving.url, viewport=NARROW)
    page.get_by_label("Keep in this browser").check()
    desk.choose(page, write_pages(tmp_path / "stack.tif", None, tumour))
    choose_page(page, 2)
    page.get_by_role("button", name="Answer this page").click()
    desk.verdict(page, "Yes")
    page.wait_for_timeout(1000)  # it is written once the person has paused
    page.reload()
    desk.row(page, "stack.tif").get_by_role("button").first.click()
    expect(page.get_by_label("Page", exact=True)).to_have_value("2")
    page.wait_for_function(CENTRE_IS_BLANK, arg=False)
