"""The slides of a folder over HTTP, read by a model that takes red for cancer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pyarrow.parquet as pq
import pytest
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image
from pydantic import SecretStr
from starlette.testclient import TestClient

from healer.main import create_app
from healer.settings.loading import Settings
from healer.slides.reader import Area
from tests.fake_engine import FakeEngine
from tests.server.conftest import wait_until_ready
from tests.slides.glass import Patch, glass_with, write_svs

Json = dict[str, Any]


WIDTH, HEIGHT = 2700, 2250
TISSUE = Area(450, 450, 1800, 1350)


def write_slide(place: Path, um_per_px: float | None = 0.5) -> Path:
    """Tissue on glass, all of it pink."""
    place.parent.mkdir(parents=True, exist_ok=True)
    picture = glass_with((WIDTH, HEIGHT), [Patch("adenocarcinoma", TISSUE)])
    return write_svs(place, picture, um_per_px)


def settings_of(tmp_path: Path, **fields: object) -> Settings:
    return Settings(
        _env_file=None,
        gate="off",
        slides=tmp_path / "slides",
        results=tmp_path / "results",
        audit=SecretStr(f"sqlite:///{tmp_path / 'audit.db'}"),
        **fields,  # type: ignore[arg-type]
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    write_slide(tmp_path / "slides/Meier/biopsy.svs")
    write_slide(tmp_path / "slides/unscaled.svs", None)
    (tmp_path / "slides/broken.svs").write_bytes(b"no slide")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        wait_until_ready(client)
        yield client


def slides_of(client: TestClient, **query: str | int) -> dict[str, Json]:
    return {each["name"]: each for each in client.get("/slides", params=query).json()["slides"]}


def id_of(client: TestClient, name: str) -> str:
    return str(slides_of(client)[name]["id"])


def read(client: TestClient, slide_id: str, body: Json | None = None) -> Json:
    assert client.post(f"/slides/{slide_id}/reading", json=body or {}).status_code == 202
    return settled(client, slide_id)


def settled(client: TestClient, slide_id: str) -> Json:
    for _ in range(600):
        slide: Json = client.get(f"/slides/{slide_id}").json()
        if slide["state"] not in ("queued", "reading"):
            return slide
        time.sleep(0.05)
    raise AssertionError(slide)


def test_without_a_folder_every_route_says_that_slides_are_off() -> None:
    with TestClient(create_app(Settings(_env_file=None), engine=FakeEngine())) as client:
        for path in ("/slides", "/slides/abc", "/slides/abc.dzi", "/slides/abc/regions"):
            response = client.get(path)
            assert response.status_code == 404
            assert response.json()["code"] == "slides_off"


def test_a_slide_is_listed_read_and_shown(client: TestClient) -> None:
    listed = slides_of(client)
    assert set(listed) == {"Meier/biopsy.svs", "broken.svs", "unscaled.svs"}
    biopsy = listed["Meier/biopsy.svs"]
    assert (biopsy["state"], biopsy["case"], biopsy["verdict"]) == ("unread", "Meier", None)
    slide = read(client, biopsy["id"])
    assert slide["state"] == "read"
    assert slide["verdict"] == slide["answer"]["verdict"] == "yes"
    assert slide["size"] == [WIDTH, HEIGHT]
    assert slide["answer"]["regions"][0]["id"] == 1
    assert "biopsy" not in json.dumps(slide["answer"])
    regions = client.get(f"/slides/{slide['id']}/regions").json()["regions"]
    assert regions == slide["answer"]["regions"]
    hot = client.get(f"/slides/{slide['id']}/tile", params={"x": 0.5, "y": 1})
    assert hot.status_code == 422  # no whole pixel
    hot = client.get(f"/slides/{slide['id']}/tile", params={"x": 1200, "y": 1200})
    assert hot.json()["verdict"] == "yes"
    glass = client.get(f"/slides/{slide['id']}/tile", params={"x": 5, "y": 5})
    assert (glass.status_code, glass.json()["code"]) == (404, "no_tile_here")
    for name, start in (
        ("tiles.parquet", b"PAR1"),
        ("regions.geojson", b"{"),
        ("report.pdf", b"%P"),
    ):
        assert client.get(f"/slides/{slide['id']}/{name}").content.startswith(start)
    assert client.get(f"/slides/{slide['id']}/unread.geojson").json()["type"] == "FeatureCollection"
    page = client.get("/slides").json()
    assert page["counts"]["read"] == 1
    assert page["slides"][0]["id"] == slide["id"]
    assert page["cases"] == [
        {
            "case": "Meier",
            "slides": 1,
            "read": 1,
            "worst_verdict": slide["verdict"],
            "disagreements": 0,
        }
    ]


def test_a_slide_without_a_scale_is_read_once_it_is_stated(client: TestClient) -> None:
    slide = id_of(client, "unscaled.svs")
    failed = read(client, slide)
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "no_resolution")
    assert read(client, slide, {"mpp": 0.5})["state"] == "read"
    broken = read(client, id_of(client, "broken.svs"))
    assert broken["state"] == "failed"
    assert client.post(f"/slides/{slide}/reading", json={"mpp": 0}).status_code == 422
    for no_number in (True, "0.5"):
        refused = client.post(f"/slides/{slide}/reading", json={"mpp": no_number})
        assert (refused.status_code, refused.json()["code"]) == (422, "slide_request_unreadable")


def test_events_come_in_order_and_end(client: TestClient) -> None:
    slide = id_of(client, "Meier/biopsy.svs")
    client.post(f"/slides/{slide}/reading")
    text = client.get(f"/slides/{slide}/events").text
    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert names[0] in ("state", "finished")
    assert names[-1] == "finished"
    again = client.get(f"/slides/{slide}/events").text
    assert [line for line in again.splitlines() if line.startswith("event")] == ["event: finished"]


def test_pictures_are_those_of_openslide_and_the_map_lies_over_them(
    client: TestClient, tmp_path: Path
) -> None:
    slide = id_of(client, "Meier/biopsy.svs")
    with openslide.OpenSlide(tmp_path / "slides/Meier/biopsy.svs") as opened:
        theirs = DeepZoomGenerator(opened, tile_size=254, overlap=1)
        assert f'Height="{HEIGHT}"' in client.get(f"/slides/{slide}.dzi").text
        for level in range(theirs.level_count):
            columns, rows = theirs.level_tiles[level]
            for column, row in {(0, 0), (columns - 1, rows - 1)}:
                data = client.get(f"/slides/{slide}_files/{level}/{column}_{row}.jpeg").content
                ours = Image.open(BytesIO(data))
                wanted = theirs.get_tile(level, (column, row))
                off = np.subtract(ours.size, wanted.size)
                assert np.abs(off).max() <= 1  # by which theirs keeps the proportions
                wanted = wanted.resize(ours.size)
                difference = np.asarray(ours).astype(int) - np.asarray(wanted).astype(int)
                assert np.abs(difference.mean(axis=(0, 1))).max() < 10  # of each colour
                if level == theirs.level_count - 1:
                    assert np.abs(difference).mean() < 2
    assert client.get(f"/slides/{slide}_files/99/0_0.jpeg").status_code == 404
    assert client.get(f"/slides/{slide}/map.dzi").status_code == 404
    read(client, slide)
    assert client.get(f"/slides/{slide}/map.dzi").status_code == 200
    data = client.get(f"/slides/{slide}/map_files/12/4_4.png").content
    layer = Image.open(BytesIO(data))
    assert layer.mode == "RGBA"
    assert np.asarray(layer)[..., 3].max() > 0
    small = Image.open(BytesIO(client.get(f"/slides/{slide}/thumbnail.jpeg").content))
    assert max(small.size) == 320


def test_links_out_of_the_folder_are_not_offered(client: TestClient, tmp_path: Path) -> None:
    secret = write_slide(tmp_path / "elsewhere/secret.svs")
    slide = id_of(client, "Meier/biopsy.svs")
    place = tmp_path / "slides/Meier/biopsy.svs"
    place.unlink()
    place.symlink_to(secret)
    assert client.get(f"/slides/{slide}").json()["code"] == "slide_unknown"
    assert client.get(f"/slides/{slide}.dzi").status_code == 404
    for path in ("..%2f..%2fetc%2fpasswd", "....", "%00"):
        assert client.get(f"/slides/{path}").status_code in (400, 404)


def test_a_readers_word_is_kept_and_exported(client: TestClient) -> None:
    slide = id_of(client, "Meier/biopsy.svs")
    word = {"slide": slide, "region": None, "agreement": "disagree", "diagnosis": "high_grade"}
    assert client.post("/reviews", json=word).json()["code"] == "slide_not_read"
    read(client, slide)
    assert client.post("/reviews", json=word).status_code == 201
    of_region = {**word, "region": 1, "agreement": "agree", "note": "=1+1"}
    assert client.post("/reviews", json=of_region).json()["region"] == 1
    assert client.post("/reviews", json={**word, "region": 999}).status_code == 422
    assert client.post("/reviews", json={**word, "agreement": "perhaps"}).status_code == 422
    assert client.post("/reviews", json={**word, "slide": "x"}).json()["code"] == "slide_unknown"
    kept = client.get(f"/slides/{slide}/reviews").json()["reviews"]
    assert [each["agreement"] for each in kept] == ["disagree", "agree"]
    rows = client.get("/slides/reviews.csv").text
    assert "'=1+1" in rows
    assert "Meier/biopsy.svs" in rows
    assert list(slides_of(client, review="disagree")) == ["Meier/biopsy.svs"]
    assert client.get("/slides").json()["cases"][0]["disagreements"] == 1


def test_slides_wait_pause_and_are_cancelled(client: TestClient) -> None:
    assert client.patch("/slides/reading", json={"paused": True}).json() == {"paused": True}
    assert client.post("/slides/reading").json() == {"queued": 3}
    slide = id_of(client, "Meier/biopsy.svs")
    again = client.post(f"/slides/{slide}/reading")
    assert (again.status_code, again.json()["code"]) == (409, "slide_being_read")
    assert client.get("/slides").json()["queue"]["waiting"] == 3
    assert client.delete(f"/slides/{slide}/reading").json()["state"] == "cancelled"
    assert client.delete(f"/slides/{slide}/reading").status_code == 409
    assert client.delete("/slides/reading").json() == {"cancelled": 2}
    assert client.patch("/slides/reading", json={"paused": False}).status_code == 200
    assert read(client, slide)["state"] == "read"


def test_readings_are_counted_without_an_id_or_a_name(client: TestClient) -> None:
    assert "healer_slides_waiting 0.0" in client.get("/metrics").text
    slide = id_of(client, "Meier/biopsy.svs")
    read(client, slide)
    parquet = client.get(f"/slides/{slide}/tiles.parquet").content
    tiles = pq.read_metadata(BytesIO(parquet)).num_rows
    read(client, id_of(client, "broken.svs"))
    client.patch("/slides/reading", json={"paused": True})
    client.post("/slides/reading", json={"states": ["read", "unread"]})
    text = client.get("/metrics").text
    assert 'healer_slide_readings_total{outcome="read"} 1.0' in text
    assert 'healer_slide_readings_total{outcome="failed"} 1.0' in text
    assert "healer_slide_seconds_count 1.0" in text
    assert f"healer_slide_tiles_total {tiles}.0" in text
    assert "healer_slides_waiting 2.0" in text
    for private in (slide, "Meier", "biopsy"):
        assert private not in text


def test_where_anyone_may_ask_nobody_learns_names(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/Meier/biopsy.svs")
    settings = settings_of(tmp_path, unauthenticated="anyone-may-ask")
    with TestClient(create_app(settings, engine=FakeEngine())) as client:
        wait_until_ready(client)
        (listed,) = client.get("/slides").json()["slides"]
        read(client, listed["id"])
        word = {"slide": listed["id"], "agreement": "agree"}
        assert client.post("/reviews", json=word).status_code == 201
        assert listed["name"] is None
        for path in ("", f"/{listed['id']}", f"/{listed['id']}/report.pdf", "/reviews.csv"):
            response = client.get(f"/slides{path}")
            assert response.status_code == 200
            assert b"Meier" not in response.content
            assert b"biopsy" not in response.content


def test_the_folder_of_slides_is_only_read(client: TestClient, tmp_path: Path) -> None:
    def content() -> dict[str, tuple[int, bytes]]:
        files = (place for place in (tmp_path / "slides").rglob("*") if place.is_file())
        return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    before = content()
    slide = id_of(client, "Meier/biopsy.svs")
    read(client, slide)
    read(client, id_of(client, "broken.svs"))
    assert client.get(f"/slides/{slide}/thumbnail.jpeg").status_code == 200
    assert content() == before


def test_a_word_that_cannot_be_read_names_the_fields_of_a_slides_word(
    client: TestClient,
) -> None:
    body = {"slide": id_of(client, "Meier/biopsy.svs"), "region": -1, "agreement": "agree"}
    refused = client.post("/reviews", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "review_unreadable")
    assert "for a slide, slide, region" in refused.json()["detail"]
