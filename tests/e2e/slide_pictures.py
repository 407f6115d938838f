"""Pictures of a slide's page in each of its states, for `tests.e2e.screenshots`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import Page, expect

from healer.slides.reader import Area
from tests.e2e.drawn_slide import draw_slide
from tests.e2e.servers import Serving
from tests.slides.glass import Patch, glass_with, write_svs

if TYPE_CHECKING:
    from tests.e2e.screenshots import Camera

READING_MS = 120_000
README_SIZE = {"width": 1280, "height": 800}


@contextmanager
def serving_slides(folder: Path, scratch: Path) -> Iterator[Serving]:
    results = scratch / "results"
    serving = Serving(
        scratch / "slides-log", HEALER_SLIDES=str(folder), HEALER_RESULTS=str(results)
    )
    try:
        yield serving
    finally:
        serving.kill()


def slide_states(camera: Camera, scratch: Path, appearances: dict[str, dict[str, Any]]) -> None:
    """Unread, being read, cancelled, without a scale, broken; read, a region, a distance."""
    folder = scratch / "slides"
    folder.mkdir()
    mucosa, tumour = Area(448, 448, 7168, 4928), Area(2688, 1792, 1344, 896)
    picture = glass_with((9000, 6000), [Patch("normal", mucosa), Patch("adenocarcinoma", tumour)])
    write_svs(folder / "planted.svs", picture)
    write_svs(folder / "no-scale.svs", picture[:3000, :4000], None)
    (folder / "broken.svs").write_bytes(b"II*\0" + b"no slide" * 500)
    with serving_slides(folder, scratch) as serving:
        page = camera.open(address(serving, "planted.svs"))
        camera.take(page, "slide-1-unread")
        page.get_by_role("button", name="Read this slide").click()
        expect(page.get_by_text(re.compile(r"^[1-9]\d* of"))).to_be_visible(timeout=READING_MS)
        camera.take(page, "slide-2-reading")
        page.get_by_role("button", name="Cancel reading").click()
        expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
        camera.take(page, "slide-3-cancelled")
        page.get_by_role("button", name="Go on reading").click()
        answered(page)
        page.close()
        for name in ("no-scale.svs", "broken.svs"):
            page = camera.open(address(serving, name))
            page.get_by_role("button", name="Read this slide").click()
            ended = page.get_by_role("button", name=re.compile("Try again|Use it and read"))
            expect(ended).to_be_visible(timeout=READING_MS)
            camera.take(page, f"slide-4-{name[:-4]}")
            page.close()
        for appearance, options in appearances.items():
            page = camera.open(address(serving, "planted.svs"), **options)
            answered(page)
            camera.take(page, f"slide-5-read-{appearance}")
            open_region(page)
            camera.take(page, f"slide-6-region-{appearance}")
            page.keyboard.press("l")
            page.get_by_role("application").press("ArrowRight")
            camera.take(page, f"slide-7-measure-{appearance}")
            page.close()


def readme_slide(camera: Camera, scratch: Path) -> None:
    folder = scratch / "drawn"
    folder.mkdir()
    draw_slide(folder / "drawn.svs")
    with serving_slides(folder, scratch) as serving:
        page = camera.open(address(serving, "drawn.svs"), viewport=README_SIZE)
        page.get_by_role("button", name="Read this slide").click()
        answered(page)
        camera.take_small(page, "slide")
        page.close()


def address(serving: Serving, name: str) -> str:
    listed = httpx.get(f"{serving.url}/slides", timeout=30).raise_for_status().json()
    found = next(slide["id"] for slide in listed["slides"] if slide["name"] == name)
    return f"{serving.url}/#/slides/{found}"


def answered(page: Page) -> None:
    expect(page.get_by_role("heading", name="Where this answer comes from")).to_be_visible(
        timeout=READING_MS
    )
    expect(page.locator("[data-outlines]")).to_be_attached()


def open_region(page: Page) -> None:
    page.keyboard.press("n")
    page.wait_for_timeout(1500)  # it goes there in steps
    page.keyboard.press("t")
    expect(page.get_by_role("region", name="Tile")).to_contain_text("%")
