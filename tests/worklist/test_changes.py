"""Answers that another model, calibration or file has overtaken, and tiles that come meanwhile."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import SecretStr
from pypdf import PdfReader
from starlette.testclient import TestClient

from healer import main
from healer.engines.base import Engine, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.screening.calibration import Binding, Calibration, Fitted
from healer.screening.screener import Screener
from healer.slides.answer import ANSWER
from healer.slides.reader import Area
from healer.worklist import opening
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready
from tests.slides.glass import Patch, glass_with, write_svs
from tests.worklist.test_service import id_of, read, settings_of, settled, slides_of, write_slide

NAME = "Meier/biopsy.svs"
LONG = 60  # seconds until a test that waits for ever has failed


class OtherRevision(FakeEngine):
    info = dataclasses.replace(FakeEngine.info, revision="1")


class HeldEngine(FakeEngine):
    """Notes the tiles of each batch, as wide as they are, and holds the first one of a slide."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.holds, self.began, self.go_on = False, threading.Event(), threading.Event()

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.batches.append([tile.width for tile in tiles])
        if self.holds:
            self.began.set()
            assert self.go_on.wait(LONG)
        return super().score(tiles)


@contextmanager
def serving(tmp_path: Path, engine: Engine, **settings: object) -> Iterator[TestClient]:
    with TestClient(create_app(settings_of(tmp_path, **settings), engine=engine)) as client:
        wait_until_ready(client)
        yield client


def write_other_slide(place: Path) -> None:
    """All of it normal, and put in place at once."""
    other = place.with_suffix(".new")
    write_svs(other, glass_with((2700, 2250), [Patch("normal", Area(450, 450, 1800, 1350))]), 0.5)
    other.replace(place)


def calibrated(intercept: float, engine: Engine) -> Screener:
    return Screener(
        engine,
        Calibration(
            binding=Binding.of(engine.info),
            slope=1.0,
            intercept=intercept,
            lower=0.2,
            upper=0.8,
            fitted_on=Fitted(dataset="made up", tiles=100, positives=50, cases=10),
        ),
    )


def test_an_answer_of_another_revision_of_the_model_is_stale(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides" / NAME)
    with serving(tmp_path, FakeEngine()) as client:
        assert read(client, id_of(client, NAME))["state"] == "read"
    with serving(tmp_path, OtherRevision()) as client:
        slide = slides_of(client, state="stale")[NAME]
        assert slide["stale_reason"] == "It was read with another state of the model."
        assert slide["verdict"] == "yes"  # still shown, as what it is
        assert client.get("/slides").json()["counts"]["stale"] == 1
        assert client.post("/slides/reading").json() == {"queued": 1}
        assert settled(client, slide["id"])["state"] == "read"
        answer = client.get(f"/slides/{slide['id']}").json()["answer"]
        assert answer["run"]["revision"] == "1"
    with serving(tmp_path, FakeEngine()) as client:
        assert slides_of(client)[NAME]["state"] == "stale"


def test_an_answer_of_another_calibration_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_slide(tmp_path / "slides" / NAME)
    monkeypatch.setattr(main, "Screener", partial(calibrated, 0.0))
    with serving(tmp_path, FakeEngine()) as client:
        assert read(client, id_of(client, NAME))["state"] == "read"
    with serving(tmp_path, FakeEngine()) as client:
        assert slides_of(client)[NAME]["state"] == "read"
    monkeypatch.setattr(main, "Screener", partial(calibrated, -0.5))
    with serving(tmp_path, FakeEngine()) as client:
        slide = slides_of(client)[NAME]
        assert slide["state"] == "stale"
        assert slide["stale_reason"] == "It was read with another state of the calibration."
        assert read(client, slide["id"])["state"] == "read"


def test_while_it_is_read_again_no_file_of_two_readings_is_given(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides" / NAME)
    with serving(tmp_path, FakeEngine()) as client:
        slide = id_of(client, NAME)
        read(client, slide)
    with serving(tmp_path, OtherRevision()) as client:
        files = [f"/slides/{slide}/{name}" for name in ("report.pdf", "tiles.parquet")]
        report = PdfReader(BytesIO(client.get(files[0]).content)).pages[-1].extract_text()
        assert "This report is out of date." in report
        client.patch("/slides/reading", json={"paused": True})
        client.post(f"/slides/{slide}/reading")
        for file in files:
            assert client.get(file).json()["code"] == "slide_not_read"
        word = {"slide": slide, "agreement": "agree"}
        assert client.post("/reviews", json=word).json()["code"] == "slide_not_read"
        client.patch("/slides/reading", json={"paused": False})
        assert settled(client, slide)["state"] == "read"
        assert all(client.get(file).is_success for file in files)


def test_an_answer_is_stale_once_the_slides_file_is_another(tmp_path: Path) -> None:
    place = write_slide(tmp_path / "slides" / NAME)
    with serving(tmp_path, FakeEngine()) as client:
        slide = id_of(client, NAME)
        first = read(client, slide)
        assert first["verdict"] == "yes"
        write_other_slide(place)
        changed = client.get(f"/slides/{slide}").json()
        assert changed["state"] == "stale"
        assert "file was replaced" in changed["stale_reason"]
        assert slides_of(client)[NAME]["state"] == "stale"
        again = read(client, slide)
        assert again["state"] == "read"
        assert again["answer"]["run"]["slide"] != first["answer"]["run"]["slide"]
        assert again["positive_mm2"] < first["positive_mm2"]


@pytest.mark.parametrize("was_read", [False, True])
def test_a_slide_that_is_replaced_while_it_is_read_is_refused(
    tmp_path: Path, was_read: bool
) -> None:
    place = write_slide(tmp_path / "slides" / NAME)
    if was_read:
        with serving(tmp_path, OtherRevision()) as client:
            assert read(client, id_of(client, NAME))["state"] == "read"
    engine = HeldEngine()
    with serving(tmp_path, engine) as client:
        slide = id_of(client, NAME)
        engine.holds = True
        client.post(f"/slides/{slide}/reading")
        assert engine.began.wait(LONG)
        write_other_slide(place)
        engine.go_on.set()
        failed = settled(client, slide)
        assert (failed["state"], failed["problem"]["code"]) == ("failed", "slide_replaced")
        assert (failed["verdict"], failed["answer"]) == (None, None)
        assert slides_of(client)[NAME]["state"] == "failed"
        assert client.get(f"/slides/{slide}/report.pdf").json()["code"] == "slide_not_read"
        assert not (tmp_path / "results/slides" / slide / ANSWER).exists()
        assert client.get(f"/slides/{slide}/regions").json() == {"regions": []}
        assert read(client, slide)["state"] == "read"


def test_a_tile_that_comes_while_a_slide_is_read_waits_for_one_batch_at_most(
    tmp_path: Path,
) -> None:
    write_slide(tmp_path / "slides" / NAME)
    engine = HeldEngine()
    with serving(tmp_path, engine) as client, ThreadPoolExecutor(1) as pool:
        slide = id_of(client, NAME)
        engine.batches.clear()
        engine.holds = True
        client.post(f"/slides/{slide}/reading")
        assert engine.began.wait(LONG)
        picture = {"image_file": png(size=(65, 65))}
        posted = pool.submit(client.post, "/predict", files=picture)
        while "healer_queue_depth 1.0" not in client.get("/metrics").text:
            assert not posted.done()
        engine.go_on.set()
        assert posted.result(LONG).status_code == 200
        assert settled(client, slide)["state"] == "read"
    assert engine.batches[1] == [65]
    assert len(engine.batches) > 2  # the slide had more to read
    assert all(65 not in widths for widths in engine.batches[2:])


def test_the_served_engine_is_shown_the_places_that_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "open_worklist", partial(_beside, opening.open_worklist))
    write_slide(tmp_path / "slides" / NAME)
    with serving(tmp_path, FakeEngine(), slide_patches=2) as client:
        answer = read(client, id_of(client, NAME))["answer"]
        assert answer["run"]["engine"] == "builtin"
        assert answer["run"]["second engine"] == "fake"
        assert answer["cascade"]["model"] == "healer/fake"
        first, second = answer["cascade"]["patches"]
        assert first["region"] == 1
        assert first["sentence"].startswith("The fake engine says yes")
        assert [first["verdict"], second["verdict"]] == ["yes", "yes"]
        assert slides_of(client)[NAME]["state"] == "read"
    with serving(tmp_path, OtherRevision(), slide_patches=2) as client:
        assert slides_of(client)[NAME]["state"] == "stale"


def test_an_answer_is_stale_once_the_second_models_calibration_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "open_worklist", partial(_beside, opening.open_worklist))
    write_slide(tmp_path / "slides" / NAME)
    monkeypatch.setattr(main, "Screener", partial(calibrated, 0.0))
    with serving(tmp_path, FakeEngine(), slide_patches=1) as client:
        assert read(client, id_of(client, NAME))["state"] == "read"
        assert slides_of(client)[NAME]["state"] == "read"
    monkeypatch.setattr(main, "Screener", partial(calibrated, -0.5))
    with serving(tmp_path, FakeEngine(), slide_patches=1) as client:
        slide = slides_of(client)[NAME]
        assert slide["state"] == "stale"
        reason = "It was read with another state of the second model's calibration."
        assert slide["stale_reason"] == reason


def _beside(open_worklist: Callable[..., object], *args: object, reads: bool) -> object:
    """As where the service's engine is not the built-in one."""
    assert reads
    return open_worklist(*args, reads=False)


def test_where_another_engine_is_served_the_built_in_model_reads_slides(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides" / NAME)
    settings = settings_of(
        tmp_path, engine="openai", engine_url="http://127.0.0.1:9/v1", engine_key=SecretStr("none")
    )
    with TestClient(create_app(settings)) as client:
        assert client.get("/ready").status_code == 503  # nobody answers at that address
        slide = read(client, id_of(client, NAME))
        assert slide["state"] == "read"
        assert slide["answer"]["run"]["engine"] == "builtin"
        assert slides_of(client)[NAME]["state"] == "read"
