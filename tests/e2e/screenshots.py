"""Every state of the page as a picture: `python -m tests.e2e.screenshots FOLDER`.

Needs the real tiles for the states (`slides` takes those of the slide's page alone); `readme` draws
README's instead, from drawn tissue, so that nobody's picture lies in the repository.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sklearn.datasets import load_sample_image

from healer.main import create_app
from healer.settings.loading import Settings
from tests.conftest import REPO
from tests.e2e import desk
from tests.e2e.answers import HIGH_GRADE, WIDE
from tests.e2e.conftest import NARROW, TIMEOUT_MS, find_chromium
from tests.e2e.drawings import epithelium, other_tissue
from tests.e2e.servers import ANSWER, Serving, SlowEngine, StandIn, live
from tests.e2e.slide_pictures import readme_slide, slide_states
from tests.e2e.slide_stand_in import mixed

DESK = {"width": 1440, "height": 900}
LONG = "S-2024-0012345_block-B2_level-3_region-of-interest-17_40x_normalised_(copy of copy).png"


APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": NARROW, "has_touch": True, "is_mobile": True},
    "tablet": {"viewport": {"width": 1024, "height": 768}},
    "4k": {"viewport": {"width": 3840, "height": 2160}},
}


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        sandbox = os.getuid() != 0
        yield playwright.chromium.launch(executable_path=find_chromium(), chromium_sandbox=sandbox)


class Camera:
    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder

    def open(self, url: str, **options: Any) -> Page:  # noqa: ANN401 - Playwright's own options
        chosen = {"viewport": DESK, "color_scheme": "light", "reduced_motion": "reduce", **options}
        page = self.browser.new_page(**chosen)
        page.goto(url)
        desk.ready(page)
        return page

    def take(self, page: Page, name: str) -> None:
        page.wait_for_timeout(1200)  # the viewer draws its picture in steps
        page.screenshot(path=self.folder / f"{name}.png")
        sys.stderr.write(f"{self.folder / name}.png\n")

    def take_small(self, page: Page, name: str) -> None:
        self.take(page, name)
        picture = self.folder / f"{name}.png"
        Image.open(picture).convert("RGB").save(picture.with_suffix(".webp"), quality=82)
        picture.unlink()


def odd_pictures(folder: Path, tile: Path) -> list[Path]:
    """A name too long, a picture too wide and one too tall, and one that is no picture."""
    picture = Image.open(tile).convert("RGB")
    wide = Image.new("RGB", (picture.width * 4, picture.height))
    for step in range(4):
        wide.paste(picture, (step * picture.width, 0))
    paths = [folder / name for name in (LONG, "very-wide.png", "very-tall.tif", "letter.png")]
    picture.save(paths[0], dpi=(50_800, 50_800))
    wide.save(paths[1])
    wide.rotate(90, expand=True).save(paths[2], compression="tiff_lzw")
    paths[3].write_text("dear colleague")
    return paths


def states(camera: Camera, serving: Serving, samples: Path, scratch: Path) -> None:
    photograph = scratch / "photograph.jpg"
    Image.fromarray(load_sample_image("china.jpg")).save(photograph)
    names = ("nct-TUM-AACHEHDV", "nct-NORM-AAAWMSFI", "kather2016-complex-1A13")
    tiles = [samples / f"{name}.png" for name in names]
    odd = odd_pictures(scratch, tiles[0])
    for appearance, options in APPEARANCES.items():
        page = camera.open(serving.url, **options)
        camera.take(page, f"{appearance}-1-empty")
        desk.choose(page, *tiles, photograph, *odd)
        desk.finished(page, 8, 8)
        camera.take(page, f"{appearance}-2-worklist")
        for number, path in enumerate((tiles[0], tiles[1], tiles[2], photograph, *odd), start=3):
            desk.read(page, path.name)
            camera.take(page, f"{appearance}-{number}-{path.stem[:12]}")
            page.keyboard.press("Escape")
            if appearance not in ("light", "phone") and number > 3:
                break
        desk.read(page, tiles[0].name)
        page.keyboard.press("c")
        page.keyboard.press("j")
        camera.take(page, f"{appearance}-11-compare")
        page.keyboard.press("c")
        page.keyboard.press("?")
        camera.take(page, f"{appearance}-12-help")
        page.close()


def warned(camera: Camera, serving: Serving, scratch: Path, samples: Path) -> None:
    """A likely precursor, a wide field, an answer against the gate's advice, a removed tile."""
    photograph = scratch / "photograph.jpg"
    tile = next(samples.glob("kather*.png"))
    wide = scratch / "wide.png"
    picture = Image.open(tile).convert("RGB")
    picture.resize((WIDE["tile"]["width"], WIDE["tile"]["height"])).save(wide)
    for appearance in ("light", "dark", "phone"):
        for name, path, answer in (("high-grade", tile, HIGH_GRADE), ("wide", wide, WIDE)):
            stand_in = StandIn([[("verdict", answer), ("answer", answer)]] * 2)
            with live(stand_in.app()) as url:
                page = camera.open(url, **APPEARANCES[appearance])
                desk.choose(page, path, path)
                desk.finished(page, 2, 2)
                camera.take(page, f"{appearance}-{name}-worklist")
                page.locator("[data-row]").get_by_role("button").last.click()
                camera.take(page, f"{appearance}-{name}")
                page.evaluate("scrollBy(0, 500)")
                camera.take(page, f"{appearance}-{name}-below")
                page.keyboard.press("Delete")
                camera.take(page, f"{appearance}-{name}-removed")
                page.close()
        page = camera.open(serving.url, **APPEARANCES[appearance])
        desk.choose(page, photograph)
        page.get_by_role("button", name="Answer anyway").click()
        expect(desk.result(page)).to_contain_text("What the input gate found")
        camera.take(page, f"{appearance}-against-advice")
        page.close()


def troubles(camera: Camera, scratch: Path, samples: Path) -> None:
    tiles = sorted(samples.glob("kather*.png"))[:6]
    engine = SlowEngine()
    with live(create_app(Settings(_env_file=None, gate="off"), engine=engine)) as url:
        page = camera.open(url)
        desk.choose(page, *tiles)
        page.wait_for_timeout(3000)
        camera.take(page, "slow-1-looking")
        engine.may_score.set()
        expect(desk.result(page)).to_contain_text("The fake engine says")
        camera.take(page, "slow-2-explaining")
        engine.may_speak.set()
        page.close()
    busy = {**ANSWER, "title": "Busy", "detail": "The queue is full.", "code": "queue_full"}
    with live(StandIn([(429, {"Retry-After": "60"}, busy)]).app()) as url:
        page = camera.open(url)
        desk.choose(page, *tiles)
        camera.take(page, "busy")
        page.close()
    serving = Serving(scratch / "killed")
    page = camera.open(serving.url)
    serving.kill()
    desk.choose(page, *tiles)
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    camera.take(page, "killed")
    page.set_viewport_size({"width": 360, "height": 740})
    camera.take(page, "killed-phone")
    page.close()


def slides(camera: Camera) -> None:
    """The worklist of slides, a slide of each state in it."""
    for appearance, options in APPEARANCES.items():
        with live(mixed().app()) as url:
            page = camera.open(f"{url}/#/slides", **options)
            expect(page.locator("[data-slide]").first).to_be_visible()
            camera.take(page, f"{appearance}-slides-worklist")
            for number, name in ((0, "yes"), (5, "scale"), (6, "stale")):
                page.locator(f"[data-slide='{number:032x}']").get_by_role("button").first.click()
                camera.take(page, f"{appearance}-slides-{name}")
                page.keyboard.press("Escape")
            page.close()


def readme(camera: Camera, serving: Serving, scratch: Path) -> None:
    pictures = [epithelium(seed) for seed in (175, 223, 69, 132)] + [other_tissue(3)]
    paths = [scratch / f"drawn-{number}.png" for number in range(1, len(pictures) + 1)]
    for picture, path in zip(pictures, paths, strict=True):
        Image.fromarray(picture).save(path, dpi=(50_800, 50_800))
    page = camera.open(serving.url, viewport={"width": 1280, "height": 800})
    desk.choose(page, *paths)
    desk.finished(page, len(paths), len(paths))
    camera.take_small(page, "page")
    page.close()
    page = camera.open(serving.url, viewport=NARROW, color_scheme="dark", device_scale_factor=1.5)
    desk.choose(page, *paths)
    desk.finished(page, len(paths), len(paths))
    desk.read(page, paths[0].name)
    page.evaluate("scrollBy(0, 430)")
    camera.take_small(page, "page-phone")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(os.environ.get("HEALER_TEST_DATA", REPO.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        scratch = Path(name)
        camera = Camera(browser, folder)
        serving = Serving(scratch / "log")
        try:
            if sys.argv[2:] == ["readme"]:
                readme(camera, serving, scratch)
                readme_slide(camera, scratch)
            elif sys.argv[2:] == ["slides"]:
                slide_states(camera, scratch, APPEARANCES)
            else:
                slide_states(camera, scratch, APPEARANCES)
                states(camera, serving, data / "samples", scratch)
                warned(camera, serving, scratch, data / "samples")
                troubles(camera, scratch, data / "samples")
                slides(camera)
        finally:
            serving.kill()


if __name__ == "__main__":
    main()
