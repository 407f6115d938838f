"""The report of a slide: one HTML file that loads nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template

from PIL import Image

from healer import NOTICE
from healer.display import percent
from healer.errors.base import HealerError
from healer.files.disk import atomic_write
from healer.slides.answer import (
    SlideAnswer,
    caption_of,
    facts_of,
    ledger_rows,
    sentences_of,
    subtitle_of,
)
from healer.slides.cascade import PatchAnswer
from healer.slides.draft import MACHINE_WRITTEN
from healer.slides.export import region_name
from healer.slides.heatmap import COLOURS
from healer.slides.reader import Area, SlideReader
from healer.slides.regions import Region, RegionKind
from healer.slides.scoring import area_around, on_white

MOST_SHOWN = 24  # regions in the gallery; all are in slide.json
LEAST_FIELD, MOST_FIELD = 448.0, 1200.0  # micrometres along a side of a region's picture
FIELD_PX = 448
BAR_SHARE = 0.3  # of a picture's width, at most
BARS_UM = tuple(step * 10**power for power in range(6) for step in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class RegionView:
    """A region and the field around it, None where that cannot be read again."""

    region: Region
    field: Area
    picture: Image.Image | None


def region_views(answer: SlideAnswer, reader: SlideReader) -> list[RegionView]:
    """The whole region with its surroundings, or where it is too large its most suspicious part."""
    views = []
    for region in answer.regions[:MOST_SHOWN]:
        scale = answer.info.resolution
        side = 1.2 * max(region.box.width * scale.x, region.box.height * scale.y)
        centre = region.box if side <= MOST_FIELD else region.peak_area
        field = area_around(centre, min(max(side, LEAST_FIELD), MOST_FIELD), scale)
        try:
            picture = Image.fromarray(on_white(reader.read(field, (FIELD_PX, FIELD_PX))))
        except HealerError:
            picture = None
        views.append(RegionView(region, field, picture))
    return views


@dataclass(frozen=True, slots=True)
class PatchView:
    """A patch that a draft rests on, None for the picture where it cannot be read again."""

    number: int
    area: Area
    picture: Image.Image | None

    def caption(self, answer: SlideAnswer) -> str:
        x, y, _, _ = answer.info.resolution.mm(self.area)
        return f"patch {self.number}, at {x:.2f}, {y:.2f} mm"


def patch_views(answer: SlideAnswer, reader: SlideReader) -> list[PatchView]:
    """Every patch that the draft's sentences name, by number."""
    places = answer.draft.places if answer.draft else {}
    views = []
    for number, patch in places.items():
        try:
            pixels = reader.read(patch.area, (FIELD_PX, FIELD_PX))
            picture = Image.fromarray(on_white(pixels))
        except HealerError:
            picture = None
        views.append(PatchView(number, patch.area, picture))
    return views


def write_report(
    place: Path,
    answer: SlideAnswer,
    thumbnail: Image.Image,
    layer: Image.Image,
    views: Sequence[RegionView],
    patches: Sequence[PatchView] = (),
) -> None:
    """Raises OSError."""
    template = files("healer.slides").joinpath("report.html").read_text(encoding="utf-8")
    page = Template(template).substitute(
        title=escape(answer.name),
        subtitle=escape(subtitle_of(answer)),
        verdict=str(answer.verdict.answer),
        headline=escape(answer.headline),
        sentences=_sentences(answer),
        headlines=_headlines(answer),
        ramp=", ".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in COLOURS),
        overview=_overview(answer, thumbnail, layer),
        coverage=_coverage(answer),
        regions=_gallery(answer, views),
        second_model=_second_model(answer),
        draft=_draft(answer, patches),
        provenance=_provenance(answer),
        notice=escape(NOTICE),
    )
    with atomic_write(place) as stream:
        stream.write(page.encode())


def _sentences(answer: SlideAnswer) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in sentences_of(answer))


def _headlines(answer: SlideAnswer) -> str:
    cut, coverage = answer.thresholds, answer.coverage
    known = "probability" if answer.verdict.calibrated else "score"
    facts = [
        (
            known,
            "–" if answer.unanswered else f"{answer.verdict.probability:.3f}",
            f"no up to {cut.lower:.3f}, yes from {cut.upper:.3f}",
        ),
        (
            "read",
            percent(coverage.share, 1) if coverage.tissue else "–",
            f"{coverage.read:.2f} of {coverage.tissue:.2f} mm² of tissue",
        ),
        (
            "suspicious",
            f"{answer.scores.positive_mm2:.2f} mm²",
            f"{answer.scores.positive_tiles:,} of {answer.scores.tiles:,} tiles",
        ),
        ("regions", str(len(answer.suspicious)), "of tiles that touch"),
    ]
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )


def _overview(answer: SlideAnswer, thumbnail: Image.Image, layer: Image.Image) -> str:
    width, height = answer.info.size
    outlines = "".join(_outline(region, max(width, height) / 45) for region in answer.regions)
    bar = _scale_bar(width, height, answer.info.resolution.x)
    return (
        f'<div class="map" style="width:{thumbnail.width}px">'
        f'<img alt="Overview of the slide" src="{_jpeg(thumbnail)}">'
        f'<img class="layer" alt="Probability of cancer" src="{_png(layer)}">'
        f'<svg class="outlines" viewBox="0 0 {width} {height}">{outlines}</svg>'
        f'<svg viewBox="0 0 {width} {height}">{bar}</svg></div>'
    )


def _outline(region: Region, size: float) -> str:
    path = "".join(
        "M" + "L".join(f"{x} {y}" for x, y in ring) + "Z"
        for part in region.outline
        for ring in part
    )
    label = (
        f'<text class="{region.kind}" x="{region.box.x + size / 4:.0f}" '
        f'y="{region.box.y + size:.0f}" '
        f'style="font-size:{size:.0f}px;stroke-width:{size / 6:.0f}">{region.rank}</text>'
    )
    return f'<path class="{region.kind}" d="{path}"/>{label}'


def _scale_bar(width: int, height: int, um_per_px: float) -> str:
    """The longest round length that fits."""
    most = width * um_per_px * BAR_SHARE
    length = max((bar for bar in BARS_UM if bar <= most), default=most)
    label = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    unit = min(width, height) / 40
    x, y, pixels = unit, height - unit, length / um_per_px
    return (
        f'<path d="M{x:.1f} {y:.1f}h{pixels:.1f}" stroke="white" stroke-width="{unit * 0.6:.1f}"/>'
        f'<path d="M{x:.1f} {y:.1f}h{pixels:.1f}" stroke="black" stroke-width="{unit * 0.3:.1f}"/>'
        f'<text x="{x:.1f}" y="{y - unit * 0.6:.1f}" '
        f'style="font-size:{unit * 1.4:.1f}px;stroke-width:{unit * 0.3:.1f}">{label}</text>'
    )


def _coverage(answer: SlideAnswer) -> str:
    return _table(("", "mm²", "of the tissue"), ledger_rows(answer))


def _gallery(answer: SlideAnswer, views: Sequence[RegionView]) -> str:
    if not views:
        return ""
    left = len(answer.regions) - len(views)
    more = (
        f"<p><small>{left} more are in slide.json and regions.geojson.</small></p>" if left else ""
    )
    figures = "".join(_figure(answer, view) for view in views)
    return f'<h2>Regions, by rank</h2><div class="gallery">{figures}</div>{more}'


def _figure(answer: SlideAnswer, view: RegionView) -> str:
    region, field = view.region, view.field
    picture = "<p>This part of the slide cannot be read again.</p>"
    if view.picture is not None:
        outline = "".join(
            "M" + "L".join(f"{x - field.x} {y - field.y}" for x, y in ring) + "Z"
            for part in region.outline
            for ring in part
        )
        bar = _scale_bar(field.width, field.height, answer.info.resolution.x)
        picture = (
            f'<div class="view"><img alt="{region_name(region)}" src="{_jpeg(view.picture)}">'
            f'<svg viewBox="0 0 {field.width} {field.height}">'
            f'<path class="{region.kind}" d="{outline}" fill="none" stroke-width="2" '
            f'vector-effect="non-scaling-stroke"/>{bar}</svg></div>'
        )
    return f"<figure>{picture}<figcaption>{_caption(answer, region)}</figcaption></figure>"


def _caption(answer: SlideAnswer, region: Region) -> str:
    title, *lines = map(escape, caption_of(answer, region))
    said: list[PatchAnswer] = []
    if answer.cascade and region.kind is RegionKind.CANCER:
        said = answer.cascade.of_region(region.rank)
    opinions = "".join(_opinion(answer, each) for each in said)
    return "<br>".join([f"<b>{title}</b>", *lines]) + opinions


def _opinion(answer: SlideAnswer, said: PatchAnswer) -> str:
    model = answer.cascade.model if answer.cascade else ""
    return (
        f'<span class="opinion"><b>{escape(model)} {said.opinion}.</b> '
        f"{escape(said.sentence)}</span>"
    )


def _second_model(answer: SlideAnswer) -> str:
    cascade = answer.cascade
    if cascade is None:
        return ""
    rows = [
        (
            f"region {said.patch.region}" if said.patch.region else "elsewhere",
            str(said.patch.first),
            str(said.verdict or "–"),
            "–" if said.probability is None else f"{said.probability:.3f}",
            str(said.opinion),
            said.sentence,
        )
        for said in cascade.answers
    ]
    head = ("place", answer.model.id, cascade.model, "probability", "opinion", "what it said")
    return f"<h2>The second model</h2><section>{_table(head, rows)}</section>"


def _draft(answer: SlideAnswer, views: Sequence[PatchView]) -> str:
    draft = answer.draft
    if draft is None:
        return ""
    links = {view.number: f'<a href="#patch-{view.number}">{view.number}</a>' for view in views}
    sentences = "".join(
        f"<li>{escape(claim.text)} [{', '.join(links[number] for number in claim.patches)}]</li>"
        for claim in draft.claims
    )
    figures = "".join(_patch_figure(answer, view) for view in views)
    return (
        f"<h2>Draft of a report</h2><section><p><b>{escape(MACHINE_WRITTEN)}</b></p>"
        f"<p>{escape(draft.begins)}</p><ul>{sentences}</ul>"
        f"<p><small>{escape(draft.in_words)}</small></p></section>"
        f'<div class="gallery" style="margin-top:1rem">{figures}</div>'
    )


def _patch_figure(answer: SlideAnswer, view: PatchView) -> str:
    picture = "<p>This part of the slide cannot be read again.</p>"
    caption = escape(view.caption(answer))
    if view.picture is not None:
        width, height = view.area.width, view.area.height
        bar = _scale_bar(width, height, answer.info.resolution.x)
        picture = (
            f'<div class="view"><img alt="{caption}" src="{_jpeg(view.picture)}">'
            f'<svg viewBox="0 0 {width} {height}">{bar}</svg></div>'
        )
    return f'<figure id="patch-{view.number}">{picture}<figcaption>{caption}</figcaption></figure>'


def _provenance(answer: SlideAnswer) -> str:
    facts = facts_of(answer).items()
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{''.join(rows)}</dl>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{_words(cell)}>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _words(cell: str) -> str:
    return ' class="words"' if len(cell) > 24 else ""


def _jpeg(picture: Image.Image) -> str:
    stream = BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _png(picture: Image.Image) -> str:
    stream = BytesIO()
    picture.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
