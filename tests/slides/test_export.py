from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from healer import NOTICE
from healer.slides.export import (
    region_features,
    tile_features,
    worklist_row,
    write_geojson,
    write_json,
    write_worklist,
)
from healer.slides.reader import Area
from tests.slides.drawn import SIDE, answered, drawn_slide


def collection(place: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return document


def test_the_answer_says_what_was_read_where_with_what(tmp_path: Path) -> None:
    answer = answered(drawn_slide(), tmp_path)
    write_json(tmp_path / "slide.json", answer.as_json())
    document = collection(tmp_path / "slide.json")
    assert document["verdict"] == "yes"
    assert document["notice"] == NOTICE
    assert document["calibrated"] is False
    assert document["mpp"] == {"x": 1.0, "y": 1.0, "source": "test"}
    assert document["size"] == [6 * SIDE, 5 * SIDE]
    assert document["regions"][0]["box"] == {"x": 448, "y": 224, "width": 448, "height": 448}
    assert document["regions"][0]["area_mm2"] == pytest.approx(0.2007, abs=1e-4)
    assert document["model"]["id"] == "healer/fake"
    assert document["tiles"]["scored"] == len(answer.results)
    assert document["coverage"]["read_share"] == 1


def test_a_slide_of_tiles_unlike_the_training_carries_a_warning(tmp_path: Path) -> None:
    answer = answered(drawn_slide(), tmp_path)
    assert answer.as_json()["warnings"] == []
    unlike = tuple(replace(each, warnings=("unlike_training",)) for each in answer.results)
    document = replace(answer, results=unlike).as_json()
    assert "100 % of the tiles are unlike" in document["warnings"][0]
    assert document["tiles"]["unlike_training"] == len(unlike)


def test_qupath_gets_closed_rings_classes_with_colour_and_measurements(tmp_path: Path) -> None:
    answer = answered(drawn_slide(), tmp_path)
    write_geojson(tmp_path / "regions.geojson", region_features(answer), answer.info.bounds)
    document = collection(tmp_path / "regions.geojson")
    assert document["type"] == "FeatureCollection"
    assert document["healer"]["notice"] == NOTICE
    (feature,) = document["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    properties = feature["properties"]
    assert properties["objectType"] == "annotation"
    assert properties["classification"] == {"name": "suspected cancer", "color": [165, 50, 27]}
    assert properties["measurements"]["tiles"] == 4


def test_a_tile_has_its_verdict_as_class_and_its_probability_as_measurement(
    tmp_path: Path,
) -> None:
    answer = answered(drawn_slide(), tmp_path)
    write_geojson(tmp_path / "tiles.geojson", tile_features(answer), answer.info.bounds)
    features = collection(tmp_path / "tiles.geojson")["features"]
    assert len(features) == len(answer.results)
    assert {each["properties"]["classification"]["name"] for each in features} == {
        "cancer: yes",
        "cancer: no",
    }
    assert len({each["id"] for each in features}) == len(features)
    assert "probability of cancer" in features[0]["properties"]["measurements"]


def test_coordinates_start_where_qupath_crops_to(tmp_path: Path) -> None:
    slide = drawn_slide()
    whole = [each["geometry"] for each in region_features(answered(slide, tmp_path / "a"))]
    slide.bounds = Area(100, 50, 900, 900)
    cropped = [each["geometry"] for each in region_features(answered(slide, tmp_path / "b"))]
    (ring,), (shifted,) = whole[0]["coordinates"], cropped[0]["coordinates"]
    assert shifted == [[x - 100, y - 50] for x, y in ring]


def test_the_same_slide_gives_the_same_ids(tmp_path: Path) -> None:
    first = [each["id"] for each in tile_features(answered(drawn_slide(), tmp_path / "a"))]
    again = [each["id"] for each in tile_features(answered(drawn_slide(), tmp_path / "b"))]
    assert first == again


def test_the_worklist_has_the_riskiest_first_and_failures_before_any_no(tmp_path: Path) -> None:
    yes = answered(drawn_slide(), tmp_path / "a").as_json()
    no = answered(drawn_slide(None), tmp_path / "b").as_json()
    doubt = {**yes, "verdict": "indeterminate", "probability": 0.7}
    failed = {"slide": "broken", "error_code": "slide_damaged", "error_message": "It is."}
    rows = [
        worklist_row(no, "c.svs", "c"),
        failed,
        worklist_row(doubt, "b.svs", "b"),
        worklist_row(yes, "a.svs", "a"),
    ]
    write_worklist(tmp_path / "slides.csv", rows)
    with (tmp_path / "slides.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [each["verdict"] for each in read] == ["yes", "indeterminate", "", "no"]
    assert [each["notice"] for each in read] == [NOTICE, "", "", ""]
    assert read[2]["error_code"] == "slide_damaged"
    assert read[0]["regions"] == "1"


def test_a_name_is_no_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    row = {"slide": "=HYPERLINK(1)", "error_code": "not_a_slide", "path": "=HYPERLINK(1).svs"}
    write_worklist(tmp_path / "slides.csv", [row])
    with (tmp_path / "slides.csv").open(newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert (read["slide"], read["path"]) == ("'=HYPERLINK(1)", "'=HYPERLINK(1).svs")
