"""The page against the real process, the built-in model and real tiles."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from healer import NOTICE
from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving


def test_three_tiles_get_three_right_outcomes(
    open_page: OpenPage, serving: Serving, tumour: Path, normal: Path, photograph: Path
) -> None:
    page = open_page(serving.url)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    expect(page.get_by_text(NOTICE)).to_be_visible()
    desk.drop(page, tumour, normal, photograph)
    desk.finished(page, 3, 3)
    desk.verdict(page, "Yes")
    expect(desk.result(page)).to_contain_text("Read as cancer. Most likely classes: ")
    expect(desk.result(page)).to_contain_text("The answer follows from these probabilities")
    expect(desk.result(page).get_by_role("img", name="indeterminate between")).to_be_visible()
    desk.read(page, normal.name)
    desk.verdict(page, "No")
    desk.read(page, photograph.name)
    expect(desk.result(page)).to_contain_text("The picture cannot be assessed")
    expect(desk.result(page)).to_contain_text("haematoxylin and eosin")
    page.get_by_role("button", name="Answer anyway").click()
    expect(desk.result(page)).to_contain_text("What the input gate found")
    assert all(url.startswith((serving.url, "blob:")) for url in urls)
    log = serving.log.read_text(encoding="utf-8")
    assert not any(path.stem in log for path in (tumour, normal, photograph))


def test_what_the_service_would_refuse_is_reported_before_it_is_sent(
    open_page: OpenPage, serving: Serving, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_text("dear colleague")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "heavy.png").write_bytes(bytes(21 * 1024 * 1024))
    Image.new("1", (8000, 5001)).save(tmp_path / "vast.png")
    page = open_page(serving.url)
    desk.ready(page)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    desk.choose(page, *(tmp_path / f"{n}.png" for n in ("letter", "empty", "heavy", "vast")))
    desk.finished(page, 4, 4)
    for name, sentence in (
        ("letter", "Choose PNG, JPEG, TIFF, WebP, or BMP."),
        ("empty", "The file holds no bytes."),
        ("heavy", "The file has 22\u00a0MB; at most 21\u00a0MB are read."),
        ("vast", "The image is 8000 × 5001 pixels; at most 40\u00a0megapixels are read."),
    ):
        desk.read(page, name)
        expect(desk.result(page)).to_contain_text(sentence)
    assert not any("predict" in url for url in urls)


def test_fifty_at_once_then_sorted_and_filtered(
    open_page: OpenPage, serving: Serving, samples: list[Path], tmp_path: Path
) -> None:
    tissue = [path for path in samples if "empty" not in path.name and "BACK" not in path.name]
    copies = [tmp_path / f"{number:02}-{path.name}" for number, path in enumerate(tissue[:20])]
    for copy, path in zip(copies, tissue, strict=False):
        copy.write_bytes(path.read_bytes())
    page = open_page(serving.url)
    desk.choose(page, *tissue, *copies)
    desk.finished(page, 50, 50)
    page.get_by_label("Sort").select_option("Most likely first")
    rows = page.locator("[data-row]")
    expect(rows.first).to_contain_text("Yes")
    expect(rows.last).to_contain_text("No")
    chip = page.get_by_role("button", name=re.compile(r"^Indeterminate \d+$"))
    chip.click()
    unsure = int(chip.inner_text().split()[-1])
    assert unsure > 0
    expect(rows).to_have_count(unsure)
    page.get_by_role("button", name="All 50").click()
    page.get_by_label("From", exact=True).fill("60")
    expect(rows.first).to_contain_text("Yes")
    expect(rows.last).to_contain_text("Yes")


def test_the_keyboard_alone_is_enough(
    open_page: OpenPage, serving: Serving, tumour: Path, normal: Path
) -> None:
    page = open_page(serving.url)
    desk.ready(page)
    page.on("filechooser", lambda chooser: chooser.set_files([tumour, normal]))
    tab_to(page, "Choose tiles")
    page.keyboard.press("Enter")
    desk.finished(page, 2, 2)
    desk.verdict(page, "Yes")
    page.keyboard.press("a")
    agree = page.get_by_role("button", name="Agree", exact=True)
    expect(agree).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    page.keyboard.type("glands back to back, jk")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("j")
    desk.verdict(page, "No")
    page.keyboard.press("k")
    expect(page.get_by_label("Note")).to_have_value("glands back to back, jk")
    page.keyboard.press("c")
    page.keyboard.press("j")
    for path in (tumour, normal):
        expect(desk.result(page).get_by_role("region", name=path.name)).to_be_visible()
    page.keyboard.press("c")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    desk.verdict(page, "No")
    page.keyboard.press("ArrowUp")
    desk.verdict(page, "Yes")


def tab_to(page: Page, name: str) -> None:
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_a_phone(
    open_page: OpenPage, serving: Serving, tumour: Path, normal: Path, tmp_path: Path
) -> None:
    page = open_page(serving.url, viewport=NARROW, has_touch=True, is_mobile=True)
    expect(page.get_by_role("button", name="Take a photograph")).to_be_visible()
    assert_no_sideways(page)
    long = tmp_path / ("a name as scanners write them_" * 6 + ".png")
    long.write_bytes(normal.read_bytes())
    desk.choose(page, tumour, normal, long)
    desk.finished(page, 3, 3)
    assert_no_sideways(page)
    desk.row(page, tumour.name).get_by_role("button").tap()
    desk.verdict(page, "Yes")
    expect(desk.row(page, normal.name)).to_be_hidden()
    assert_no_sideways(page)
    assert_scale_is_whole(page)
    page.get_by_role("button", name="Worklist").tap()
    expect(desk.row(page, normal.name)).to_be_visible()
    desk.row(page, long.name).get_by_role("button").tap()
    assert_no_sideways(page)
    page.get_by_role("button", name="Compare").tap()
    page.get_by_role("button", name="Previous tile").tap()
    expect(desk.result(page).get_by_role("region", name=normal.name)).to_be_visible()
    assert_no_sideways(page)
    assert_scale_is_whole(page)


def assert_scale_is_whole(page: Page) -> None:
    scale = desk.result(page).get_by_role("img", name="indeterminate between").first
    label = scale.get_by_text("Indeterminate", exact=True)
    expect(label).to_be_visible()
    assert label.evaluate("label => label.scrollWidth <= label.clientWidth")
    assert label.evaluate(
        """label => {
            const [inner, outer] = [label, label.closest('[role=img]')].map(
                element => element.getBoundingClientRect());
            return inner.left >= outer.left && inner.right <= outer.right;
        }"""
    )


def assert_no_sideways(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_it_is_stored_only_where_that_was_chosen(
    open_page: OpenPage, serving: Serving, tumour: Path
) -> None:
    page = open_page(serving.url)
    desk.paste(page, tumour)
    desk.verdict(page, "Yes")
    page.reload()
    expect(page.get_by_text("Drop H&E tiles here")).to_be_visible()
    page.get_by_label("Keep in this browser").check()
    desk.paste(page, tumour)
    desk.verdict(page, "Yes")
    page.keyboard.press("d")
    page.wait_for_timeout(1000)  # it is written once the person has paused
    page.reload()
    desk.verdict(page, "Yes")
    expect(desk.row(page, tumour.name)).to_contain_text("you disagree")
    page.get_by_role("button", name="Clear all").click()
    page.get_by_role("dialog").get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("Drop H&E tiles here")).to_be_visible()
    page.wait_for_timeout(1000)
    page.reload()
    expect(page.get_by_text("Drop H&E tiles here")).to_be_visible()


def test_a_folder_with_a_tiff_in_it(
    open_page: OpenPage, serving: Serving, tumour: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a picture")
    picture = Image.open(tumour).convert("RGB")
    picture.save(folder / "scan.tif", compression="tiff_lzw", dpi=(50_800, 50_800))
    page = open_page(serving.url)
    page.set_input_files("#choose-folder", folder)
    expect(page.get_by_text("1 file that is no picture was left out.")).to_be_attached()
    desk.verdict(page, "Yes")
    expect(desk.result(page)).to_contain_text("0.5 µm/px")
    expect(desk.row(page, "scan.tif").locator("img")).to_be_visible()
    expect(desk.result(page).get_by_text("20 µm")).to_be_visible()
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector('[data-viewer] canvas');
            if (canvas === null) return false;
            const at = [canvas.width / 2, canvas.height / 2, 1, 1];
            return canvas.getContext('2d').getImageData(...at).data[3] === 255;
        }"""
    )


def test_a_tiff_that_lies_on_its_side_is_drawn_upright(
    open_page: OpenPage, serving: Serving, tumour: Path, tmp_path: Path
) -> None:
    picture = Image.open(tumour).convert("RGB").crop((0, 0, 224, 112))
    picture.save(tmp_path / "turned.tif", compression="tiff_lzw", tiffinfo={274: 6})
    page = open_page(serving.url)
    desk.choose(page, tmp_path / "turned.tif")
    desk.finished(page, 1, 1)
    expect(desk.result(page)).to_contain_text("112 × 224 px")
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector('[data-viewer] canvas');
            if (canvas === null) return false;
            const line = new OffscreenCanvas(canvas.width, 1);
            const copy = line.getContext('2d', {willReadFrequently: true});
            copy.drawImage(canvas, 0, -Math.floor(canvas.height / 2));
            const row = copy.getImageData(0, 0, canvas.width, 1);
            let drawn = 0;
            for (let at = 3; at < row.data.length; at += 4) drawn += row.data[at] === 255;
            return drawn > 0 && Math.abs(drawn / canvas.height - 0.5) < 0.05;
        }"""
    )
