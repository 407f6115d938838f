"""The worklist's own doings: what is removed comes back, what is written is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Dialog, Page, expect

from tests.e2e import desk
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Serving, StandIn, live
from tests.server.conftest import png


def tiles(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"tile-{number}.png" for number in range(1, count + 1)]
    for number, path in enumerate(paths):
        Image.new("RGB", (32, 32), (200, number, 100)).save(path)
    return paths


def names(page: Page) -> list[str]:
    titles: list[str] = page.locator("[data-row] [title$='.png']").evaluate_all(
        "found => found.map(each => each.title)"
    )
    return titles


@pytest.mark.parametrize("size", [(1024, 600), (1440, 900), (1280, 500), (2560, 1440)])
def test_the_page_is_no_taller_than_the_window(
    open_page: OpenPage, tmp_path: Path, size: tuple[int, int]
) -> None:
    taller = "document.documentElement.scrollHeight - innerHeight"
    width, height = size
    with live(StandIn().app()) as url:
        page = open_page(url, viewport={"width": width, "height": height})
        desk.ready(page)
        assert page.evaluate(taller) <= 0
        desk.choose(page, *tiles(tmp_path, 30))
        desk.finished(page, 30, 30)
        assert page.evaluate(taller) <= 0
        page.keyboard.press("c")
        page.keyboard.press("j")
        assert page.evaluate(taller) <= 0


def test_a_removed_tile_comes_back_where_it_was(
    open_page: OpenPage, tmp_path: Path, axe: str
) -> None:
    with live(StandIn().app()) as url:
        page = open_page(url, reduced_motion="reduce")
        desk.choose(page, *tiles(tmp_path, 3))
        desk.finished(page, 3, 3)
        desk.read(page, "tile-2")
        page.keyboard.press("a")
        page.keyboard.press("Delete")
        expect(page.get_by_role("status").filter(has_text="Removed: tile-2.png")).to_be_visible()
        assert names(page) == ["tile-1.png", "tile-3.png"]
        assert desk.faults(page, axe) == []
        page.get_by_role("button", name="Undo").click()
        assert names(page) == ["tile-1.png", "tile-2.png", "tile-3.png"]
        expect(desk.row(page, "tile-2")).to_contain_text("you agree")
        expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        page.get_by_role("button", name="Clear all").click()
        page.get_by_role("dialog").get_by_role("button", name="Clear all").click()
        expect(page.get_by_text("Removed: 3 tiles")).to_be_visible()
        page.keyboard.press("Control+z")
        assert names(page) == ["tile-1.png", "tile-2.png", "tile-3.png"]


def test_a_reload_asks_first_while_an_unsaved_answer_would_be_lost(
    open_page: OpenPage, tmp_path: Path
) -> None:
    with live(StandIn().app()) as url:
        page = open_page(url)
        urls: list[str] = []

        def go_on(dialog: Dialog) -> None:
            urls.append(dialog.type)
            dialog.accept()

        page.on("dialog", go_on)
        desk.choose(page, *tiles(tmp_path, 1))
        desk.finished(page, 1, 1)
        page.keyboard.press("a")
        with page.expect_download():
            page.get_by_role("button", name="CSV").click()
        page.reload()
        assert urls == [], "what was exported is not lost"
        desk.choose(page, *tiles(tmp_path, 1))
        desk.finished(page, 1, 1)
        page.keyboard.press("d")
        page.reload()
        expect(page.get_by_text("Drop H&E tiles here")).to_be_visible()
        assert urls == ["beforeunload"]


def test_the_same_file_twice_is_marked(open_page: OpenPage, tmp_path: Path) -> None:
    first, other, copy = (tmp_path / f"{name}.png" for name in ("first", "other", "copy"))
    first.write_bytes(png("red"))
    other.write_bytes(png("blue"))
    copy.write_bytes(png("red"))
    with live(StandIn().app()) as url:
        page = open_page(url)
        desk.choose(page, first, other, copy)
        desk.finished(page, 3, 3)
        expect(desk.row(page, "copy")).to_contain_text("Duplicate")
        expect(desk.row(page, "first")).not_to_contain_text("Duplicate")
        expect(desk.row(page, "other")).not_to_contain_text("Duplicate")
        page.get_by_role("button", name="Duplicates 1").click()
        desk.read(page, "copy")
        expect(desk.result(page)).to_contain_text("The same file, byte for byte, as first.png.")


def test_reports_carry_the_tiles_name_and_never_the_same_one(
    open_page: OpenPage, serving: Serving, tumour: Path, normal: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    same = folder / tumour.name
    same.write_bytes(normal.read_bytes())
    page = open_page(serving.url)
    desk.choose(page, tumour)
    desk.choose(page, same)
    desk.finished(page, 2, 2)
    reports = set()
    for _ in range(2):
        with page.expect_download() as download:
            page.keyboard.press("p")
        reports.add(download.value.suggested_filename)
        page.keyboard.press("j")
    assert len(reports) == 2
    assert all(name.startswith(f"healer-report-{tumour.stem}-") for name in reports)
