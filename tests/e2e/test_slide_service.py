"""The worklist before the real service, with a folder of 300 slides."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from playwright.sync_api import Locator, Page, expect

pytest.importorskip("openslide", reason="needs healer[slides]")

from healer.slides.reader import Area
from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving
from tests.slides.glass import Patch, glass_with, write_svs

COPIES = 297
SIDE = 900
SLOW_MS = 120_000  # a slide takes a second, and much longer where other work uses the cores


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """297 copies of one small slide, one without a scale, one of glass, and a file that is none."""
    folder = tmp_path_factory.mktemp("folder")
    tissue = Patch("adenocarcinoma", Area(0, 0, SIDE, SIDE))
    picture = glass_with((SIDE, SIDE), [tissue])
    (folder / "slides/case-000").mkdir(parents=True)
    first = write_svs(folder / "slides/case-000/000.svs", picture, 0.5)
    write_svs(folder / "slides/unscaled.svs", picture, None)
    write_svs(folder / "slides/glass.svs", glass_with((SIDE, SIDE), []))
    (folder / "slides/broken.svs").write_bytes(b"no slide")
    for number in range(1, COPIES):
        place = folder / f"slides/case-{number // 3:03}/{number:03}.svs"
        place.parent.mkdir(exist_ok=True)
        shutil.copy(first, place)
    environment = {
        "HEALER_SLIDES": str(folder / "slides"),
        "HEALER_RESULTS": str(folder / "results"),
        "HEALER_AUDIT": f"sqlite:///{folder}/audit.db",
    }
    serving = Serving(folder / "log", **environment)
    yield serving
    serving.kill()


def open_slides(open_page: OpenPage, service: Serving, **options: object) -> Page:
    page = open_page(f"{service.url}/#/slides", **options)
    expect(rows(page).first).to_be_visible()
    return page


def rows(page: Page) -> Locator:
    return page.locator("[data-slide]")


def at_least(page: Page, count: int) -> None:
    """So many slides are read."""
    deadline = time.monotonic() + SLOW_MS / 1000
    while read_count(page) < count:
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(200)


def read_count(page: Page) -> int:
    found = re.match(r"\d+", page.locator("main h2").first.inner_text())
    assert found
    return int(found[0])


def test_three_hundred_are_read_paused_and_go_on_over_a_restart(
    open_page: OpenPage, service: Serving
) -> None:
    page = open_slides(open_page, service)
    page.get_by_role("button", name="Read all 300").click()
    at_least(page, 1)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    at_least(page, read_count(page) + 1)
    service.kill()
    expect(page.get_by_role("alert")).to_contain_text("Healer cannot be reached.")
    before = read_count(page)
    service.start()
    expect(page.get_by_role("button", name="Service: Ready")).to_be_visible()
    at_least(page, before + 1)  # by itself: what waited still waits
    page.get_by_role("button", name="Cancel all").click()
    expect(page.get_by_role("button", name=re.compile(r"Read all \d+"))).to_be_visible()


def test_a_reader_disagrees_and_exports_it(open_page: OpenPage, service: Serving) -> None:
    page = open_slides(open_page, service)
    at_least(page, 1)
    expect(rows(page).first).to_contain_text("Yes")
    page.keyboard.press("d")
    page.get_by_label("Your diagnosis").select_option("High-grade dysplasia")
    page.get_by_label("Note").fill("no invasion")
    page.get_by_role("button", name="Save").click()
    expect(desk.result(page)).to_contain_text("Your word is in the service's log.")
    page.get_by_label("Reader").select_option("Disagreement")
    expect(rows(page)).to_have_count(1)
    expect(desk.result(page)).to_contain_text("1 disagreement")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export words (CSV)").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert "high_grade,no invasion" in text
    assert text.count("disagree") == 1


def test_what_cannot_be_read_says_why_and_a_scale_is_asked_for(
    open_page: OpenPage, service: Serving, axe: str
) -> None:
    page = open_slides(open_page, service, viewport=NARROW)
    page.get_by_role("combobox", name="Sort").select_option("By name")
    for name in ("broken.svs", "unscaled.svs"):
        page.locator("[data-slide-list]").evaluate(
            "(list, end) => { list.scrollTop = end ? list.scrollHeight : 0; }",
            name == "unscaled.svs",
        )
        row = rows(page).filter(has_text=name)
        row.get_by_role("button", name=f"Read: {name}").click()
        expect(row.get_by_role("button", name=f"Cancel: {name}")).to_have_count(0, timeout=SLOW_MS)
    page.get_by_role("combobox", name="Sort").select_option("Most suspicious first")
    page.get_by_role("button", name="Failed").click()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Read: unscaled.svs").click()
    expect(page.get_by_label("µm per pixel")).to_be_focused()
    assert desk.faults(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pause(service, True)
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    expect(desk.result(page)).to_contain_text("Waiting")
    page.wait_for_timeout(2_000)  # the list of failed slides leaves it out by then
    pause(service, False)
    expect(desk.result(page)).to_contain_text("Tissue read", timeout=SLOW_MS)


def pause(service: Serving, paused: bool) -> None:
    httpx.patch(f"{service.url}/slides/reading", json={"paused": paused}).raise_for_status()


def test_a_slide_of_glass_says_so_and_no_percentage(open_page: OpenPage, service: Serving) -> None:
    page = open_slides(open_page, service)
    page.get_by_role("combobox", name="Sort").select_option("By name")
    glass = rows(page).filter(has_text="glass.svs")
    page.locator("[data-slide-list]").evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
    glass.get_by_role("button", name="Read: glass.svs").click()
    expect(glass).to_contain_text("No tissue found", timeout=SLOW_MS)
    assert "%" not in glass.inner_text()
    page.goto(f"{service.url}/#/slides/{glass.get_attribute('data-slide')}")
    expect(page.get_by_role("heading", name="Where this answer comes from")).to_be_visible()
    answer = page.locator("section", has=page.get_by_role("heading", name="No tissue found"))
    expect(answer).to_be_visible()
    assert "%" not in answer.inner_text()


def test_a_wrong_address_says_so_and_leads_to_all_slides(
    open_page: OpenPage, service: Serving, axe: str
) -> None:
    page = open_page(f"{service.url}/#/slides/{'0' * 24}")
    expect(page.get_by_role("heading", name="No such slide")).to_be_visible()
    assert desk.faults(page, axe) == []
    page.get_by_role("link", name="To all slides").click()
    expect(rows(page).first).to_be_visible()
