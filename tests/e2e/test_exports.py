"""Files that leave the page."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from playwright.sync_api import Page

from healer.answer import Prediction
from tests.e2e import desk
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Serving

LONG = "=HYPERLINK(cell), " + "a very long name " * 8 + "Ψηφίδα.png"


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_csv_json_and_pdf(
    open_page: OpenPage, serving: Serving, tumour: Path, photograph: Path, tmp_path: Path
) -> None:
    odd = tmp_path / LONG
    odd.write_bytes(tumour.read_bytes())
    page = open_page(serving.url)
    desk.choose(page, odd, photograph)
    desk.finished(page, 2, 2)
    page.keyboard.press("d")
    page.get_by_label("Note").fill('not "that", this\nsecond line')

    with saved(page, "CSV", tmp_path).open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["name"] == f"'{LONG}", "a spreadsheet must not run a file's name"
    assert (first["verdict"], first["reader"]) == ("yes", "disagree")
    assert first["note"] == 'not "that", this\nsecond line'
    assert 0 < float(first["no_up_to"]) < float(first["yes_from"]) < float(first["probability"])
    assert second["not_answered"].startswith("The picture cannot be assessed.")

    tiles = json.loads(saved(page, "JSON", tmp_path).read_text(encoding="utf-8"))["tiles"]
    answer = Prediction.model_validate(tiles[0]["answer"])
    assert answer.verdict == "yes"
    assert tiles[1]["problem"]["code"] == "image_not_assessable"

    report = saved(page, "PDF report", tmp_path)
    named = r"healer-report-.*Ψηφίδα-\d{4}-\d\d-\d\d-\d{6}-[0-9a-f]{8}\.pdf"
    assert re.fullmatch(named, report.name)
    content = report.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) == 1
