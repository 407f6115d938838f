"""What is written of a slide for other programs: JSON, QuPath's GeoJSON, and the worklist."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from healer import NOTICE
from healer.display import printable
from healer.engines.base import Answer
from healer.files.disk import atomic_write
from healer.files.spelling import json_safe
from healer.files.table import without_formula
from healer.slides.answer import ANSWER, SlideAnswer
from healer.slides.reader import Area
from healer.slides.regions import Region, RegionKind
from healer.slides.scoring import TileResult

Json = dict[str, Any]
NAMESPACE = uuid.UUID("6f0e1c1e-6d8b-4a53-9a4e-3f6f3c1b7a10")
COLOURS = {
    Answer.YES: (165, 50, 27),
    Answer.INDETERMINATE: (123, 82, 0),
    Answer.NO: (13, 95, 108),
}
PRECURSOR_COLOUR, NOT_SCORED_COLOUR = (91, 42, 166), (120, 120, 120)


def write_json(place: Path, document: Json) -> None:
    """A field a line. Raises OSError."""
    fields = (f"{_json(name)}: {_json(value)}" for name, value in document.items())
    text = "{\n" + ",\n".join(fields) + "\n}\n"
    with atomic_write(place) as stream:
        stream.write(json_safe(text).encode())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def write_geojson(place: Path, features: Iterable[Json], origin: Area) -> None:
    """A collection as QuPath reads it, one feature a line. Its coordinates are those of QuPath,
    which crops a slide to what was scanned and counts from there. Raises OSError."""
    with atomic_write(place) as stream:
        head = {"notice": NOTICE, "origin": {"x": origin.x, "y": origin.y}}
        stream.write(b'{"type": "FeatureCollection", "healer": ' + _json(head).encode())
        stream.write(b', "features": [')
        for at, feature in enumerate(features):
            stream.write(b",\n" if at else b"\n")
            stream.write(_json(feature).encode())
        stream.write(b"\n]}\n")


def tile_features(answer: SlideAnswer) -> Iterator[Json]:
    for result in answer.results:
        name, colour = _class_of(result)
        measurements = {f.name: f.probability for f in result.findings}
        if result.probability is not None:
            measurements = {"probability of cancer": result.probability, **measurements}
        ring = _closed(result.area)
        yield _feature(answer, "tile", f"{result.area}", [[ring]], name, colour, measurements)


def _class_of(result: TileResult) -> tuple[str, tuple[int, int, int]]:
    if result.verdict is not None:
        return f"cancer: {result.verdict}", COLOURS[Answer(result.verdict)]
    why = result.problem or ", ".join(result.reasons)
    return f"not scored: {why.replace('_', ' ')}", NOT_SCORED_COLOUR


def _closed(area: Area) -> list[tuple[int, int]]:
    corners = [(area.x, area.y), (area.right, area.y), (area.right, area.bottom)]
    return [*corners, (area.x, area.bottom), (area.x, area.y)]


def region_features(answer: SlideAnswer) -> Iterator[Json]:
    for region in answer.regions:
        cancer = region.kind is RegionKind.CANCER
        label = "suspected cancer" if cancer else f"suspected precursor: {region.mark}"
        measurements = {
            "score": region.score,
            "peak": region.peak,
            "area mm²": region.area_mm2,
            "tiles": region.tiles,
            **{finding.name: finding.probability for finding in region.findings},
        }
        feature = _feature(
            answer,
            "annotation",
            region_name(region),
            region.outline,
            label,
            COLOURS[Answer.YES] if cancer else PRECURSOR_COLOUR,
            measurements,
        )
        feature["properties"]["name"] = region_name(region)
        yield feature


def unread_features(answer: SlideAnswer) -> Iterator[Json]:
    for unread in answer.unread:
        label = f"not read: {unread.reason.replace('_', ' ')}"
        feature = _feature(
            answer,
            "annotation",
            label,
            unread.outline,
            label,
            NOT_SCORED_COLOUR,
            {"area mm²": unread.area_mm2},
        )
        feature["properties"] |= {"name": label, "reason": unread.reason}
        yield feature


def region_name(region: Region) -> str:
    return f"{region.kind} {region.rank}"


def _feature(
    answer: SlideAnswer,
    object_type: str,
    identity: str,
    outline: Sequence[Sequence[Sequence[tuple[int, int]]]],
    label: str,
    colour: tuple[int, int, int],
    measurements: Mapping[str, float],
) -> Json:
    """The same slide gives the same ids."""
    bounds = answer.info.bounds
    parts = [[[[x - bounds.x, y - bounds.y] for x, y in ring] for ring in part] for part in outline]
    geometry = (
        {"type": "Polygon", "coordinates": parts[0]}
        if len(parts) == 1
        else {"type": "MultiPolygon", "coordinates": parts}
    )
    name = f"{answer.info.content_hash} {object_type} {identity}"
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(NAMESPACE, name)),
        "geometry": geometry,
        "properties": {
            "objectType": object_type,
            "classification": {"name": label, "color": colour},
            "measurements": {key: round(value, 5) for key, value in measurements.items()},
        },
    }


WORKLIST = "slides.csv"
COLUMNS = (
    *("slide", "verdict", "probability", "calibrated", "second_verdict", "mark", "regions"),
    *("positive_mm2", "tissue_mm2", "read_share", "mpp_x", "mpp_y", "mpp_source", "tiles"),
    *("sentence", "error_code", "error_message", "path", "folder", "notice"),
)
# A slide that nobody could read must not be taken for a harmless one.
_RISK = {"yes": 0, "indeterminate": 1, "": 2, "no": 3}


def worklist_row(document: Json, path: str, folder: str) -> Json:
    """Of an answered slide's `slide.json`."""
    second = document["second_answer"] or {}
    coverage, mpp = document["coverage"], document["mpp"]
    return {
        "slide": document["slide"],
        "verdict": document["verdict"],
        "probability": document["probability"],
        "calibrated": document["calibrated"],
        "second_verdict": second.get("verdict", ""),
        "mark": second.get("mark") or "",
        "regions": sum(region["kind"] == RegionKind.CANCER for region in document["regions"]),
        "positive_mm2": document["scores"]["positive_mm2"],
        "tissue_mm2": coverage["tissue_mm2"],
        "read_share": coverage["read_share"],
        "mpp_x": mpp["x"],
        "mpp_y": mpp["y"],
        "mpp_source": mpp["source"],
        "tiles": document["tiles"]["scored"],
        "sentence": document["sentence"],
        "path": path,
        "folder": folder,
    }


def earlier_rows(out: Path) -> dict[str, Json]:
    """By slide, the rows of earlier commands whose answers are still there; a worklist is of all
    slides in a folder, whichever command answered them."""
    try:
        with (out / WORKLIST).open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row.keys() == set(COLUMNS)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return {
        row["slide"]: {**row, "notice": ""}
        for row in rows
        if row["verdict"] in _RISK and (out / row["folder"] / ANSWER).is_file()
    }


def write_worklist(place: Path, rows: Iterable[Json]) -> None:
    """Sorted by risk, the most suspicious first. Raises OSError."""
    ranked = sorted(rows, key=_risk)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for at, row in enumerate(ranked):
        cells = {
            name: without_formula(printable(value)) if isinstance(value, str) else value
            for name, value in row.items()
        }
        table.writerow({**cells, "notice": "" if at else NOTICE})
    with atomic_write(place) as stream:
        stream.write(text.getvalue().encode())


def _risk(row: Json) -> tuple[int, float, str]:
    return (_RISK[row.get("verdict", "")], -float(row.get("probability") or 0.0), row["slide"])
