from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from healer import NOTICE
from healer.errors.slides import SlideRunMismatch
from healer.slides.reader import Area
from healer.slides.slide_screener import SlideFolder
from tests.slides.drawn import answered, drawn_slide

FILES = {
    *("report.pdf", "unread.geojson"),
    *("slide.json", "tiles.parquet", "tiles.geojson", "regions.geojson", "report.html"),
    *("heatmap.png", "thumbnail.png", "tissue.png", "heatmap.ome.tif"),
}


def test_every_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    slide = drawn_slide()
    SlideFolder(tmp_path / "a").write(answered(slide, tmp_path / "a"), slide)
    assert {file.name for file in (tmp_path / "a").iterdir()} - {"parts"} == FILES


def test_the_report_loads_nothing_and_shows_verdict_ledger_and_regions(tmp_path: Path) -> None:
    slide = drawn_slide()
    SlideFolder(tmp_path).write(answered(slide, tmp_path), slide)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "<strong>Yes</strong>" in page
    assert page.count("<figure>") == 1
    assert "of the tissue" in page
    assert page.count(NOTICE) == 1


def test_a_name_is_text_and_no_markup(tmp_path: Path) -> None:
    slide = drawn_slide()
    answer = replace(answered(slide, tmp_path), name="<script>alert(1)</script>")
    SlideFolder(tmp_path).write(answer, slide)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_region_that_cannot_be_read_again_costs_its_picture_only(tmp_path: Path) -> None:
    slide = drawn_slide()
    answer = answered(slide, tmp_path)
    slide.damaged = (Area(600, 400, 10, 10),)
    SlideFolder(tmp_path).write(answer, slide)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "This part of the slide cannot be read again." in page


def test_a_finished_answer_is_known_again_by_its_binding(tmp_path: Path) -> None:
    slide = drawn_slide()
    answer = answered(slide, tmp_path)
    folder = SlideFolder(tmp_path)
    document = folder.write(answer, slide)
    assert folder.finished(answer.binding) == json.loads(json.dumps(document))
    assert folder.finished({**answer.binding, "mpp": "2"}) is None
    assert tuple(folder.known_results(answer.binding)) == answer.results
    with pytest.raises(SlideRunMismatch, match="mpp"):
        folder.known_results({**answer.binding, "mpp": "2"})


def test_the_report_is_a_pdf_too_whatever_the_slide_is_called(tmp_path: Path) -> None:
    slide = drawn_slide()
    answer = replace(answered(slide, tmp_path), name="Gewebe – 組織")
    SlideFolder(tmp_path).write(answer, slide)
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.count(b"/Subtype /Image") >= 2  # the map, and the region
