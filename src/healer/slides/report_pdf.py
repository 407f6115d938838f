"""The report of a slide as PDF, on pages of A4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from PIL import Image, ImageDraw

from healer import NOTICE
from healer.files.disk import atomic_write
from healer.slides.answer import (
    SlideAnswer,
    caption_of,
    facts_of,
    ledger_rows,
    sentences_of,
    subtitle_of,
)
from healer.slides.draft import MACHINE_WRITTEN
from healer.slides.reader import Area
from healer.slides.regions import Polygon, RegionKind
from healer.slides.report import PatchView, RegionView

WIDTH, TALLEST = 180.0, 130.0  # millimetres, of the map
COLUMN = 86.0
ROW = 5.0
INK, QUIET = (36, 26, 33), (107, 90, 102)
KIND_COLOURS = {RegionKind.CANCER: (165, 50, 27), RegionKind.PRECURSOR: (91, 42, 166)}
CAPTION_MM, HEADING_MM = 22.0, 7.0


def write_pdf(
    place: Path,
    answer: SlideAnswer,
    overview: Image.Image,
    views: Sequence[RegionView],
    patches: Sequence[PatchView] = (),
) -> None:
    """`overview` is the thumbnail with the map over it. Raises OSError."""
    page = ReportPage()
    page.line(answer.name, 16, bold=True)
    page.line(subtitle_of(answer), 9, QUIET)
    page.line(answer.headline, 14, bold=True)
    for sentence in sentences_of(answer):
        page.line(sentence, 10)
    outlined = overview.copy()
    for region in answer.regions:
        draw_outline(outlined, region.outline, _whole(answer), KIND_COLOURS[region.kind])
    page.picture(outlined, WIDTH, TALLEST)
    page.line("What was read", 12, bold=True)
    for name, mm2, share in ledger_rows(answer):
        page.line(f"{name}: {mm2} mm², {share}", 9)
    _regions(page, answer, views)
    _draft(page, answer, patches)
    page.line("Where it comes from", 12, bold=True)
    for name, value in facts_of(answer).items():
        page.line(f"{name}: {value}", 8, QUIET)
    page.line(NOTICE, 9, bold=True)
    with atomic_write(place) as stream:
        stream.write(bytes(page.pdf.output()))


def _regions(page: ReportPage, answer: SlideAnswer, views: Sequence[RegionView]) -> None:
    shown = [view for view in views if view.picture is not None]
    if shown:
        page.make_room(HEADING_MM + COLUMN + CAPTION_MM)  # a heading stands with what it is of
        page.line("Regions, by rank", 12, bold=True)
    for view in shown:
        picture = (view.picture or Image.new("RGB", (1, 1))).copy()
        draw_outline(picture, view.region.outline, view.field, KIND_COLOURS[view.region.kind])
        page.captioned(picture, caption_of(answer, view.region))


def _draft(page: ReportPage, answer: SlideAnswer, patches: Sequence[PatchView]) -> None:
    if answer.draft is None:
        return
    page.line("Draft of a report", 12, bold=True)
    page.line(MACHINE_WRITTEN, 10, bold=True)
    for line in answer.draft.lines:
        page.line(line, 10)
    page.line(answer.draft.in_words, 8, QUIET)
    for view in patches:
        if view.picture is not None:
            page.captioned(view.picture, [view.caption(answer)])


def _whole(answer: SlideAnswer) -> Area:
    width, height = answer.info.size
    return Area(0, 0, width, height)


def draw_outline(
    picture: Image.Image,
    outline: Sequence[Polygon],
    field: Area,
    colour: tuple[int, int, int],
) -> None:
    """`picture` shows `field`, in whose pixels of level 0 the outline is."""
    across, down = picture.width / field.width, picture.height / field.height
    pen = ImageDraw.Draw(picture)
    for polygon in outline:
        for ring in polygon:
            points = [((x - field.x) * across, (y - field.y) * down) for x, y in ring]
            pen.line(points, fill=colour, width=max(2, picture.width // 300))


class ReportPage:
    """Text and pictures one below the other; a new page where one is full."""

    def __init__(self) -> None:
        self.pdf = FPDF(format="A4")
        self.pdf.set_margins(15, 15)
        self.pdf.set_auto_page_break(True, 15)
        self.pdf.add_page()

    def line(
        self,
        text: str,
        size: float,
        colour: tuple[int, int, int] = INK,
        *,
        bold: bool = False,
    ) -> None:
        self.pdf.set_font("helvetica", "B" if bold else "", size)
        self.pdf.set_text_color(*colour)
        self.pdf.multi_cell(
            0, size * 0.5, latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L"
        )
        self.pdf.ln(1)

    def picture(self, picture: Image.Image, width: float, tallest: float) -> None:
        scale = min(width / picture.width, tallest / picture.height)
        self.make_room(picture.height * scale)
        self.pdf.image(picture, w=picture.width * scale, h=picture.height * scale)
        self.pdf.ln(2)

    def captioned(self, picture: Image.Image, lines: Sequence[str]) -> None:
        """Its words beneath it, on the same page."""
        self.make_room(COLUMN + CAPTION_MM)
        self.picture(picture, COLUMN, COLUMN)
        for at, text in enumerate(lines):
            self.line(text, 9, bold=at == 0)

    def make_room(self, height: float) -> None:
        if self.pdf.get_y() + height > self.pdf.h - self.pdf.b_margin:
            self.pdf.add_page()


def latin(text: str) -> str:
    """As the fonts that every reader of PDF brings can show it."""
    plain = text.replace("–", "-").replace("…", "...").replace("’", "'")
    return plain.encode("latin-1", "replace").decode("latin-1")
