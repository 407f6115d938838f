"""Those who follow the list learn which slides change, and how far the reading is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from healer.main import create_app
from healer.worklist.feed import Feed
from healer.worklist.worklist import MOST_NAMED
from tests.fake_engine import FakeEngine
from tests.server.conftest import live
from tests.worklist.test_service import settings_of, write_slide

Json = dict[str, Any]
WAIT_SECONDS = 60.0


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    write_slide(tmp_path / "slides/biopsy.svs")
    (tmp_path / "slides/broken.svs").write_bytes(b"no slide")
    with live(create_app(settings_of(tmp_path), engine=FakeEngine())) as url:
        yield url


@contextmanager
def followed(url: str) -> Iterator[Iterator[Json]]:
    with httpx.stream("GET", f"{url}/slides/events", timeout=WAIT_SECONDS) as response:
        assert response.status_code == 200
        lines = (line for line in response.iter_lines() if line.startswith("data: "))
        yield (json.loads(line[6:]) for line in lines)


def ids_of(url: str) -> dict[str, str]:
    return {each["name"]: each["id"] for each in httpx.get(f"{url}/slides").json()["slides"]}


def test_a_reading_is_reported_and_then_a_readers_word(url: str) -> None:
    slide = ids_of(url)["biopsy.svs"]
    with followed(url) as news:
        first = next(news)
        assert first["slides"] == []
        assert first["reading"] is None
        assert first["queue"] == {"paused": False, "waiting": 0, "seconds_left": 0.0}
        httpx.post(f"{url}/slides/{slide}/reading", json={}).raise_for_status()
        seen = next(news)
        assert seen["slides"] == [slide]
        while httpx.get(f"{url}/slides/{slide}").json()["state"] != "read":
            seen = next(news)
            if seen["reading"] and seen["reading"]["progress"]:
                assert seen["reading"]["id"] == slide
                assert seen["reading"]["progress"]["done"] >= 0
        word = {"agreement": "agree", "slide": slide}
        httpx.post(f"{url}/reviews", json=word).raise_for_status()
        while seen["reading"] or seen["queue"]["waiting"]:
            seen = next(news)
        assert seen["slides"] == [slide]


def test_one_that_fails_is_reported(url: str) -> None:
    slide = ids_of(url)["broken.svs"]
    with followed(url) as news:
        next(news)
        httpx.post(f"{url}/slides/{slide}/reading", json={}).raise_for_status()
        assert next(news)["slides"] == [slide]
        while httpx.get(f"{url}/slides/{slide}").json()["state"] != "failed":
            next(news)


@pytest.mark.anyio
async def test_progress_changes_no_slide_and_changes_that_come_together_are_one_event() -> None:
    feed = Feed()
    with feed.follow_list() as following:
        changes = following.changes()
        feed.publish("a", "progress", {"done": 1})
        assert await anext(changes) == frozenset()
        feed.publish("a", "state")
        feed.publish("b", "finished")
        feed.publish("a", "map", {"version": 1})
        assert await anext(changes) == frozenset({"a", "b"})
        assert await anext(changes) is None
    feed.publish("a", "state")  # to nobody


def test_of_very_many_none_is_named(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/biopsy.svs")
    app = create_app(settings_of(tmp_path), engine=FakeEngine())
    with live(app):
        worklist = app.state.worklist
        assert worklist.news(set("abc"))["slides"] == ["a", "b", "c"]
        assert worklist.news({str(each) for each in range(MOST_NAMED + 1)})["slides"] is None
