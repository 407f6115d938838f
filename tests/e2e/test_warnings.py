"""What a plain yes or no would hide: it stands in the card, the row, the filters, CSV and PDF."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import desk
from tests.e2e.answers import HIGH_GRADE, LIKELY, RULE, WIDE
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving, StandIn, live
from tests.server.conftest import png


def answered(open_page: OpenPage, url: str, tile: Path, **options: Any) -> Page:  # noqa: ANN401
    page = open_page(url, **options)
    desk.choose(page, tile)
    if options.get("viewport") == NARROW:  # a single tile is opened there
        page.get_by_role("button", name="Worklist").click()
    desk.finished(page, 1, 1)
    return page


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def csv_row(page: Page, folder: Path) -> dict[str, str]:
    with saved(page, "CSV", folder).open(encoding="utf-8-sig", newline="") as file:
        return next(csv.DictReader(file))


def pdf_text(page: Page, folder: Path) -> str:
    report = saved(page, "PDF report", folder)
    read = subprocess.run(
        [shutil.which("pdftotext") or "pdftotext", "-layout", str(report), "-"],
        check=True,
        capture_output=True,
        text=True,
    )
    return " ".join(read.stdout.split())


def reply(answer: dict[str, Any]) -> StandIn:
    return StandIn([[("verdict", answer), ("answer", answer)]])


@pytest.mark.parametrize("appearance", [{}, {"viewport": NARROW, "color_scheme": "dark"}])
def test_answered_against_the_gates_advice(
    open_page: OpenPage,
    serving: Serving,
    photograph: Path,
    tmp_path: Path,
    axe: str,
    appearance: dict[str, Any],
) -> None:
    page = answered(open_page, serving.url, photograph, reduced_motion="reduce", **appearance)
    if appearance:
        desk.read(page, photograph.name)
    again = desk.result(page).get_by_role("button", name="Try again")
    expect(page.get_by_role("button", name="Answer anyway")).to_be_visible()
    expect(again).to_have_count(0)
    page.get_by_role("button", name="Answer anyway").click()
    card = desk.result(page)
    expect(card).to_contain_text("Answered against the input gate's advice")
    expect(card).to_contain_text("Probability of colorectal cancer (not calibrated)")
    expect(card).not_to_contain_text("(calibrated)")
    heading = card.get_by_role("heading", name="What the input gate found")
    expect(heading).to_be_visible()
    triangle = heading.locator("svg").bounding_box()
    assert triangle is not None
    assert (triangle["width"], triangle["height"]) == (20, 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert desk.faults(page, axe) == []
    assert "Answered against the input gate's advice" in pdf_text(page, tmp_path)
    page.keyboard.press("Escape")
    expect(desk.row(page, photograph.name)).to_contain_text("Against the gate's advice")
    page.get_by_role("button", name="Against advice 1").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    row = csv_row(page, tmp_path)
    assert (row["calibrated"], row["against_advice"]) == ("false", "true")


@pytest.mark.parametrize("appearance", [{}, {"viewport": NARROW, "color_scheme": "dark"}])
def test_a_no_does_not_hide_high_grade_neoplasia(
    open_page: OpenPage, tmp_path: Path, axe: str, appearance: dict[str, Any]
) -> None:
    tile = tmp_path / "polyp.png"
    tile.write_bytes(png("red"))
    with live(reply(HIGH_GRADE).app()) as url:
        page = answered(open_page, url, tile, reduced_motion="reduce", **appearance)
        expect(desk.row(page, "polyp")).to_contain_text("High-grade likely")
        page.get_by_role("button", name="High-grade likely 1").click()
        expect(page.locator("[data-row]")).to_have_count(1)
        if appearance:
            desk.read(page, tile.name)
        desk.verdict(page, "No")
        desk.verdict(page, "High-grade neoplasia likely")
        expect(desk.result(page)).to_contain_text(LIKELY)
        expect(desk.result(page)).to_contain_text(
            "Dysplasia or cancer: Yes, 83.0\u00a0% (not calibrated)"
        )
        expect(desk.result(page)).to_contain_text("Class probabilities")
        expect(desk.result(page)).to_contain_text(RULE)
        assert desk.faults(page, axe) == []
        report = pdf_text(page, tmp_path)
        assert "High-grade neoplasia likely" in report
        assert LIKELY in report
        assert RULE in report
        page.keyboard.press("Escape")
        row = csv_row(page, tmp_path)
        assert (row["verdict"], row["second_verdict"], row["second_mark"]) == (
            "no",
            "yes",
            "high-grade",
        )
        assert (row["second_probability"], row["second_sentence"]) == ("0.83", LIKELY)


def test_a_wide_fields_windows_lie_where_they_were_read(
    open_page: OpenPage, tmp_path: Path, axe: str
) -> None:
    tile = tmp_path / "wide.png"
    Image.new("RGB", (WIDE["tile"]["width"], WIDE["tile"]["height"]), (220, 180, 210)).save(tile)
    with live(reply(WIDE).app()) as url:
        page = answered(open_page, url, tile, reduced_motion="reduce")
        windows = page.locator("[data-viewer] .window")
        expect(windows).to_have_count(6)
        expect(windows.nth(5)).to_have_text("93.0\u00a0%")
        boxes = [windows.nth(number).bounding_box() for number in (0, 1, 5)]
        first, second, last = (box for box in boxes if box)
        assert second["x"] - first["x"] == pytest.approx(first["width"], abs=1)
        assert last["x"] - first["x"] == pytest.approx(2 * first["width"], abs=2)
        assert last["y"] - first["y"] == pytest.approx(first["height"], abs=1)
        card = desk.result(page)
        expect(card).to_contain_text("A wide field, read window by window")
        expect(card).to_contain_text("1 of 6 windows is read as cancer")
        expect(desk.row(page, "wide")).to_contain_text("1 of 6 windows yes")
        expect(desk.row(page, "wide")).to_contain_text("Wide field")
        expect(card).to_contain_text("The field is wider than what the model was trained for.")
        expect(card).to_contain_text("6 windows: 1 yes, 0 indeterminate, 5 no.")
        expect(card).to_contain_text("The highest probability is 93.0\u00a0%.")
        expect(card).not_to_contain_text("(calibrated)")
        assert desk.faults(page, axe) == []
        toggle = page.get_by_role("button", name="Show windows")
        expect(toggle).to_have_attribute("aria-pressed", "true")
        toggle.click()
        expect(windows).to_have_count(0)
        page.keyboard.press("w")
        expect(windows).to_have_count(6)
        assert "6 windows: 1 yes, 0 indeterminate, 5 no." in pdf_text(page, tmp_path)
        row = csv_row(page, tmp_path)
        assert (row["windows"], row["windows_yes"], row["windows_highest"]) == ("6", "1", "0.93")
        assert row["warnings"] == "The field is wider than what the model was trained for."
