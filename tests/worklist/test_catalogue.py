from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from healer.errors.base import InvalidSettings
from healer.errors.worklist import SlideUnknown
from healer.main import create_app
from healer.worklist.catalogue import Catalogue
from tests.fake_engine import FakeEngine
from tests.slides.glass import SLIDES, glass_with, write_mrxs
from tests.worklist.test_service import settings_of

KEY = bytes(32)


def test_ids_are_the_same_in_every_run_and_say_nothing_of_names(tmp_path: Path) -> None:
    (tmp_path / "Meier").mkdir()
    (tmp_path / "Meier/a.svs").write_bytes(b"")
    (first,) = Catalogue(tmp_path, KEY).entries().values()
    (again,) = Catalogue(tmp_path, KEY).entries().values()
    (other,) = Catalogue(tmp_path, bytes([1] * 32)).entries().values()
    assert first.id == again.id != other.id
    assert (first.name, first.case) == ("Meier/a.svs", "Meier")


def test_a_list_in_the_folder_states_cases_and_scales(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"")
    (tmp_path / "slides.csv").write_text("path,case,mpp\na.svs,P7,0.25\n", encoding="utf-8")
    (entry,) = Catalogue(tmp_path, KEY).entries().values()
    assert (entry.case, entry.mpp) == ("P7", 0.25)


def test_a_series_is_another_once_any_of_its_files_is(tmp_path: Path) -> None:
    shutil.copytree(SLIDES / "cmu-1-dicom", tmp_path / "series")
    catalogue = Catalogue(tmp_path, KEY)
    (entry,) = catalogue.entries().values()
    assert len(entry.files) > 1
    assert catalogue.entry(entry.id).stamp == entry.stamp
    entry.files[-1].touch()
    assert catalogue.entry(entry.id).stamp != entry.stamp


def test_a_slide_of_a_file_and_a_folder_is_another_once_any_of_its_files_is(tmp_path: Path) -> None:
    write_mrxs(tmp_path / "a.mrxs", glass_with((512, 512), []))
    catalogue = Catalogue(tmp_path, KEY)
    (entry,) = catalogue.entries().values()
    assert {file.name for file in entry.files} == {
        "a.mrxs",
        "Data0000.dat",
        "Index.dat",
        "Slidedat.ini",
    }
    assert catalogue.entry(entry.id).stamp == entry.stamp
    (tmp_path / "a/Data0000.dat").touch()
    assert catalogue.entry(entry.id).stamp != entry.stamp


def test_no_link_is_offered(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.svs").write_bytes(b"")
    folder = tmp_path / "slides"
    folder.mkdir()
    (folder / "file.svs").symlink_to(outside / "secret.svs")
    (folder / "folder").symlink_to(outside)
    catalogue = Catalogue(folder, KEY)
    assert not catalogue.entries()
    with pytest.raises(SlideUnknown):
        catalogue.entry("../outside/secret.svs")


def test_5000_slides_are_listed_without_opening_any_and_300_wait(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for number in range(5000):
        (folder / f"{number:04}.svs").write_bytes(b"none of these is a slide")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        client.patch("/slides/reading", json={"paused": True})
        page = client.get("/slides", params={"sort": "name", "per_page": 500, "page": 2}).json()
        assert (page["total"], page["counts"]["unread"]) == (5000, 5000)
        assert page["slides"][0]["name"] == "0500.svs"
        for slide in page["slides"][:300]:
            assert client.post(f"/slides/{slide['id']}/reading").status_code == 202
        page = client.get("/slides", params={"state": "queued"}).json()
        assert (page["total"], page["queue"]["waiting"]) == (300, 300)
    assert not list((tmp_path / "results").glob("slides/*"))


def test_results_among_the_slides_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    settings = settings_of(tmp_path).model_copy(update={"results": tmp_path / "slides/results"})
    with pytest.raises(InvalidSettings, match="HEALER_RESULTS"):
        create_app(settings, engine=FakeEngine())
