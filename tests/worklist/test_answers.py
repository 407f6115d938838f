"""What `/slides` answers is what the OpenAPI document says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from healer.main import create_app
from healer.server.slide_models import (
    SlideDetail,
    SlideList,
    SlideRegions,
    SlideReviews,
    SlideTile,
)
from tests.fake_engine import FakeEngine
from tests.server.conftest import wait_until_ready
from tests.slides.glass import glass_with, write_svs
from tests.worklist.test_service import Json, id_of, read, settings_of, slides_of, write_slide

# Of `slide.json`, which says more than the page needs.
LEFT_OUT = {
    *("format", "notice", "question", "draft", "levels", "bounds", "colour", "properties"),
    *("content_hash", "seed", "run"),
}


def documented(kind: type[BaseModel], answer: Json) -> None:
    """Every field that is answered is in the document, and of its type."""
    assert kind.model_validate(answer).model_dump(mode="json").keys() == answer.keys()


def test_answers_keep_to_the_document(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/case/biopsy.svs")
    (tmp_path / "slides/broken.svs").write_bytes(b"no slide")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        wait_until_ready(client)
        slide = read(client, id_of(client, "case/biopsy.svs"))
        read(client, id_of(client, "broken.svs"))
        review = {"slide": slide["id"], "agreement": "agree"}
        assert client.post("/reviews", json=review).status_code == 201
        at = f"/slides/{slide['id']}"
        documented(SlideList, client.get("/slides").json())
        documented(SlideDetail, client.get(at).json())
        documented(SlideRegions, client.get(f"{at}/regions").json())
        documented(SlideReviews, client.get(f"{at}/reviews").json())
        documented(SlideTile, client.get(f"{at}/tile", params={"x": 1200, "y": 1200}).json())
    answer = SlideDetail.model_validate(slide).answer
    assert answer is not None
    assert slide["answer"].keys() - LEFT_OUT == answer.model_dump().keys()


def test_a_slide_without_tissue_has_no_score(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    write_svs(tmp_path / "slides/glass.svs", glass_with((1500, 1200), []))
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        wait_until_ready(client)
        slide = read(client, id_of(client, "glass.svs"))
        (listed,) = slides_of(client).values()
        assert client.post("/reviews", json={"slide": slide["id"], "agreement": "agree"}).is_success
        table = client.get("/slides/reviews.csv").text
        assert client.get(f"/slides/{slide['id']}/report.pdf").is_success
    assert slide["answer"]["sentence"] == "No tissue was found on the slide."
    for each in (slide, listed, slide["answer"]):
        assert (each["unanswered"], each["probability"]) == ("no_tissue", None)
    assert "indeterminate,,agree" in table


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/slides?verdikt=yes", "state, verdict, case"),
        ("/slides?page=1&page=2", "state, verdict, case"),
        ("/slides/ID/tile?x=1&y=1&x=2", "known are x, y"),
        ("/slides/ID?name=x", "no parameter is read"),
        ("/slides/ID.dzi?v=1", "no parameter is read"),
    ],
)
def test_a_parameter_that_is_not_known_is_refused(tmp_path: Path, path: str, known: str) -> None:
    write_slide(tmp_path / "slides/biopsy.svs")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        path = path.replace("ID", id_of(client, "biopsy.svs"))
        response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (422, "slide_request_unreadable")
    assert known in response.json()["detail"]


def test_a_scale_that_no_scanner_has_is_refused(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/biopsy.svs")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        place = f"/slides/{id_of(client, 'biopsy.svs')}/reading"
        for mpp in (0.09, 20.1):
            assert client.post(place, json={"mpp": mpp}).status_code == 422
        # What a form on another site could have a browser send.
        sent = client.post(place, content=b'{"mpp": 0.5}', headers={"content-type": "text/plain"})
        assert "application/json" in sent.json()["detail"]
