"""A slide in the browser, against the real server: read it, look at what was found, measure, go on.

The slides are drawn from real tiles at known places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from healer.slides.reader import Area
from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving
from tests.slides.glass import Patch, glass_with, write_svs

SIZE = (6000, 4200)
MUCOSA = Patch("normal", Area(448, 448, 4928, 3136))
TUMOUR = Patch("adenocarcinoma", Area(1792, 1344, 1344, 896))
READING_MS = 120_000  # a slide, on cores that are busy with other tests
APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark, phone": {"color_scheme": "dark", "viewport": NARROW},
    "4K": {"viewport": {"width": 3840, "height": 2160}},
}
OpenSlide = Callable[..., Page]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """One slide to read, one to cancel, one without scale, one that is broken."""
    if not (data_dir / "ebhi-seg").is_dir():
        pytest.skip("the tiles that slides are drawn from are not here")
    folder = tmp_path_factory.mktemp("slides")
    picture = glass_with(SIZE, [MUCOSA, TUMOUR])
    write_svs(folder / "planted.svs", picture)
    write_svs(
        folder / "cancelled.svs",
        glass_with((9000, 6000), [Patch("normal", Area(448, 448, 8000, 5000))], seed=2),
    )
    write_svs(
        folder / "no-scale.svs",
        glass_with((2500, 2000), [Patch("normal", Area(448, 448, 1344, 896))], seed=3),
        None,
    )
    (folder / "broken.svs").write_bytes(b"II*\0" + b"no slide" * 500)
    return folder


@pytest.fixture(scope="module")
def slide_server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    results = tmp_path_factory.mktemp("results")
    serving = Serving(
        tmp_path_factory.mktemp("serving") / "log",
        HEALER_SLIDES=str(folder),
        HEALER_RESULTS=str(results),
    )
    yield serving
    serving.kill()


@pytest.fixture
def open_slide(open_page: OpenPage, slide_server: Serving) -> OpenSlide:
    def opened(name: str, view: str = "", **options: Any) -> Page:  # noqa: ANN401 - Playwright's
        slide = slide_of(slide_server, name)["id"]
        chosen = {"reduced_motion": "reduce", **options}
        page = open_page(f"{slide_server.url}/#/slides/{slide}{view}", **chosen)
        expect(heading(page, name)).to_be_visible()
        return page

    return opened


@pytest.fixture
def planted(slide_server: Serving) -> None:
    """The planted slide has been read."""
    slide = slide_of(slide_server, "planted.svs")
    if slide["state"] != "read":
        httpx.post(f"{slide_server.url}/slides/{slide['id']}/reading", json={}).raise_for_status()
        with httpx.stream(
            "GET", f"{slide_server.url}/slides/{slide['id']}/events", timeout=READING_MS / 1000
        ) as events:
            assert any(line == "event: finished" for line in events.iter_lines())


def slide_of(serving: Serving, name: str) -> dict[str, Any]:
    slides = httpx.get(f"{serving.url}/slides", timeout=30).json()["slides"]
    return next(slide for slide in slides if slide["name"].endswith(name))


def heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=re.compile(re.escape(name)))


def region(page: Page, number: int) -> Locator:
    return page.locator(f"[data-region='{number}'] > button")


def view_of(page: Page) -> dict[str, float]:
    found = re.search(r"x=(-?\d+)&y=(-?\d+)&z=([\d.e-]+)", page.url)
    assert found, page.url
    return dict(zip("xyz", map(float, found.groups()), strict=True))


def settled(page: Page) -> dict[str, float]:
    """The view in the address, once the picture is there and the view no longer changes."""
    expect(page.locator("[data-outlines]")).to_be_attached()
    expect(page).to_have_url(re.compile(r"&z="))
    before = ""
    while before != page.url:
        before = page.url
        page.wait_for_timeout(900)
    return view_of(page)


def picture(page: Page) -> Locator:
    return page.get_by_role("application")


def test_the_map_grows_while_a_slide_is_read_and_the_tumour_is_found(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs")
    versions: list[str] = []
    page.on(
        "request", lambda request: versions.extend(re.findall(r"map\.dzi\?v=(\d+)", request.url))
    )
    page.get_by_role("button", name="Read this slide").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel reading")).to_be_visible()
    expect(page.get_by_role("heading", name="Yes", exact=True)).to_be_visible(timeout=READING_MS)
    assert len(set(versions)) > 2, versions
    expect(page.get_by_text("of the tissue read").first).to_be_visible()
    expect(region(page, 1)).to_contain_text("Suspected cancer")


@pytest.mark.usefixtures("planted")
def test_the_first_region_is_where_the_tumour_is(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs")
    region(page, 1).click()
    expect(region(page, 1)).to_have_attribute("aria-current", "true")
    view = settled(page)
    area = TUMOUR.area
    assert area.x - 224 < view["x"] < area.right + 224
    assert area.y - 224 < view["y"] < area.bottom + 224
    picture(page).click()
    tile = page.get_by_role("region", name="Tile")
    expect(tile).to_contain_text("Yes")
    expect(tile).to_contain_text("adenocarcinoma")
    page.keyboard.press("Escape")
    expect(tile).to_have_count(0)


@pytest.mark.usefixtures("planted")
def test_glass_has_no_tile(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs", "?x=5800&y=4000&z=0.5")
    picture(page).click()
    expect(page.get_by_role("region", name="Tile")).to_contain_text("No tile was read here.")


@pytest.mark.usefixtures("planted")
def test_a_view_can_be_sent_to_a_colleague(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs", "?x=2464&y=1792&z=0.8")
    assert settled(page) == pytest.approx({"x": 2464, "y": 1792, "z": 0.8}, rel=0.01)
    page.keyboard.press("+")
    picture(page).press("ArrowRight")
    sent = settled(page)
    assert sent["z"] > 0.8
    assert sent["x"] > 2464
    page.reload()
    expect(heading(page, "planted.svs")).to_be_visible()
    assert settled(page) == pytest.approx(sent, rel=0.01)


@pytest.mark.usefixtures("planted")
def test_all_is_done_by_keyboard(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs")
    expect(region(page, 1)).to_be_visible()
    expect(picture(page)).to_be_visible()
    for key, name in (("m", "Probability map"), ("o", "Outlines of regions"), ("u", "Tissue not")):
        expect(page.get_by_label(name)).to_be_checked()
        page.keyboard.press(key)
        expect(page.get_by_label(name)).not_to_be_checked()
        page.keyboard.press(key)
    page.keyboard.press("[")
    expect(page.get_by_label("Opacity of the map")).to_have_value("0.6")
    page.keyboard.press("n")
    expect(region(page, 1)).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("status").filter(has_text="Region 1 of")).to_have_count(1)
    settled(page)
    page.keyboard.press("t")
    expect(page.get_by_role("region", name="Tile")).to_contain_text("Yes")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Next region")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("#/slides$"))


@pytest.mark.usefixtures("planted")
def test_a_distance_is_measured_by_keys_and_by_clicks(open_slide: OpenSlide) -> None:
    page = open_slide("planted.svs", "?x=2000&y=1500&z=1")
    settled(page)
    page.keyboard.press("l")
    expect(page.get_by_text("Now the second point.")).to_be_visible()
    picture(page).press("ArrowRight")
    moved = settled(page)["x"] - 2000
    page.keyboard.press("l")
    length = page.locator("[data-outlines] text")
    micrometres = float((length.text_content() or "").removesuffix(" µm"))
    assert micrometres == pytest.approx(moved * 0.5, abs=1)
    page.keyboard.press("Escape")
    expect(length).to_have_count(0)
    page.get_by_role("button", name="Measure a distance").click()
    box = picture(page).bounding_box()
    assert box
    for dx in (0, 100):
        page.mouse.click(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2)
        page.wait_for_timeout(400)
    expect(length).to_have_text("50.0 µm")


def test_a_cancelled_reading_goes_on_where_it_was(open_slide: OpenSlide) -> None:
    page = open_slide("cancelled.svs")
    page.get_by_role("button", name="Read this slide").click()
    done = page.get_by_text(re.compile(r"^[1-9]\d* of \d+ tiles"))
    expect(done).to_be_visible(timeout=READING_MS)
    page.get_by_role("button", name="Cancel reading").click()
    expect(page.get_by_role("heading", name="Cancelled", exact=True)).to_be_visible()
    page.get_by_role("button", name="Go on reading").click()
    expect(page.get_by_role("heading", name="Where this answer comes from")).to_be_visible(
        timeout=READING_MS
    )


def test_a_slide_without_scale_is_read_with_the_one_that_is_given(open_slide: OpenSlide) -> None:
    page = open_slide("no-scale.svs")
    page.get_by_role("button", name="Read this slide").click()
    scale = page.get_by_label("µm per pixel")
    expect(scale).to_be_visible(timeout=READING_MS)
    scale.fill("0.5")
    page.get_by_role("button", name="Use it and read").click()
    expect(page.get_by_role("heading", name="Where this answer comes from")).to_be_visible(
        timeout=READING_MS
    )
    expect(page.get_by_text("0.5 µm/px")).to_be_visible()


def test_a_broken_slide_says_why(open_slide: OpenSlide) -> None:
    page = open_slide("broken.svs")
    expect(page.get_by_text("The picture of this slide cannot be shown.")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Try again")).to_be_visible(timeout=READING_MS)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("appearance", APPEARANCES)
def test_axe_finds_nothing(appearance: str, open_slide: OpenSlide, axe: str) -> None:
    page = open_slide("planted.svs", **APPEARANCES[appearance])
    expect(region(page, 1)).to_be_visible()
    assert desk.faults(page, axe) == []
    page.keyboard.press("n")
    settled(page)
    page.keyboard.press("t")
    expect(page.get_by_role("region", name="Tile")).to_contain_text("Yes")
    assert desk.faults(page, axe) == []
    width = page.viewport_size or NARROW
    assert page.evaluate("document.documentElement.scrollWidth") == width["width"]
