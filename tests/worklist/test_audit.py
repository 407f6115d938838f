"""What is answered about slides, and what readers say of it, in the audit log."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from healer.audit.chain import Link, export, verify
from healer.audit.records import SlideAnswerRecord
from healer.audit.replay import slide_difference
from healer.audit.store import Store
from healer.auth.keys import add_key
from healer.cli import app
from healer.errors.audit import NotReplayable
from healer.main import create_app
from tests.fake_engine import FakeEngine
from tests.server.conftest import wait_until_ready
from tests.worklist.test_service import id_of, read, settings_of, write_slide


def links_of(tmp_path: Path) -> list[Link]:
    store = Store(f"sqlite:///{tmp_path / 'audit.db'}")
    links = list(store.links())
    store.close()
    return links


def records_of(tmp_path: Path) -> list[dict[str, Any]]:
    return [{**link.content, "hash": link.hash} for link in links_of(tmp_path)]


def test_a_slides_answer_and_its_reviews_are_records_of_one_chain(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/Meier/biopsy.svs")
    keys = tmp_path / "keys.json"
    settings = settings_of(tmp_path, api_keys_file=keys)
    given = {"X-API-Key": add_key(keys, "lis", None)}
    with TestClient(create_app(settings, engine=FakeEngine()), headers=given) as client:
        wait_until_ready(client)
        slide = id_of(client, "Meier/biopsy.svs")
        read(client, slide)
        detail = client.get(f"/slides/{slide}").json()
        word = {"slide": slide, "agreement": "disagree", "diagnosis": "high_grade", "note": "=x"}
        of_slide = client.post("/reviews", json=word).json()
        of_region = client.post("/reviews", json={**word, "region": 1}).json()
    answer, first, second = records_of(tmp_path)
    assert (answer["kind"], answer["slide"]) == ("slide_answer", slide)
    assert [each["caller"] for each in (answer, first, second)] == ["lis"] * 3
    assert answer["verdict"] == detail["verdict"] == "yes"
    assert answer["regions"] == detail["regions"] > 0
    assert answer["read_share"] == detail["read_share"]
    assert answer["content_hash"] == detail["answer"]["content_hash"]
    assert f"slide={answer['content_hash']}" in answer["run"]
    assert (first["kind"], first["answer"]) == ("slide_review", answer["hash"])
    assert (first["region"], second["region"]) == (None, 1)
    assert [of_slide["record"], of_region["record"]] == [first["hash"], second["hash"]]
    links = links_of(tmp_path)
    assert dict(verify(links).kinds) == {"slide_answer": 1, "slide_review": 2}
    assert "Meier" not in "".join(link.body for link in links)
    assert "biopsy" not in "".join(link.body for link in links)
    out = StringIO()
    export(links, out, "csv")
    rows = list(csv.DictReader(StringIO(out.getvalue())))
    assert rows[1]["note"] == "'=x"
    assert float(rows[0]["score"]) == answer["score"]


def test_a_word_that_the_log_cannot_take_is_not_kept(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/biopsy.svs")
    with TestClient(create_app(settings_of(tmp_path), engine=FakeEngine())) as client:
        wait_until_ready(client)
        slide = id_of(client, "biopsy.svs")
        read(client, slide)
        (tmp_path / "audit.db").unlink()
        refused = client.post("/reviews", json={"slide": slide, "agreement": "agree"})
        assert (refused.status_code, refused.json()["code"]) == (503, "audit_unavailable")
        assert client.get(f"/slides/{slide}/reviews").json()["reviews"] == []


def test_without_a_record_no_answer_is_given_unless_the_operator_chose_so(tmp_path: Path) -> None:
    for failure, state in (("refuse", "failed"), ("degrade", "read")):
        folder = tmp_path / failure
        write_slide(folder / "slides/biopsy.svs")
        settings = settings_of(folder, audit_failure=failure)
        with TestClient(create_app(settings, engine=FakeEngine())) as client:
            wait_until_ready(client)
            (folder / "audit.db").unlink()
            slide = read(client, id_of(client, "biopsy.svs"))
            assert slide["state"] == state
            assert (slide["problem"] or {}).get("code") == (
                "audit_unavailable" if failure == "refuse" else None
            )


def test_without_a_log_a_word_is_kept_all_the_same(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/biopsy.svs")
    settings = settings_of(tmp_path).model_copy(update={"audit": None})
    with TestClient(create_app(settings, engine=FakeEngine())) as client:
        wait_until_ready(client)
        slide = id_of(client, "biopsy.svs")
        read(client, slide)
        kept = client.post("/reviews", json={"slide": slide, "agreement": "agree"})
        assert (kept.status_code, kept.json()["record"]) == (201, None)
        assert len(client.get(f"/slides/{slide}/reviews").json()["reviews"]) == 1


def test_a_slide_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the built-in model, before and after its record or its file became another."""
    file = write_slide(tmp_path / "slides/biopsy.svs")
    settings = settings_of(tmp_path, engine="builtin")
    with TestClient(create_app(settings)) as client:
        wait_until_ready(client)
        slide = id_of(client, "biopsy.svs")
        read(client, slide)
    monkeypatch.setenv("HEALER_SLIDES", str(tmp_path / "slides"))
    monkeypatch.setenv("HEALER_RESULTS", str(settings.results))
    monkeypatch.setenv("HEALER_AUDIT", f"sqlite:///{tmp_path / 'audit.db'}")

    def replayed(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["audit", "replay", *arguments])

    assert replayed("--slide", slide).exit_code == 0, replayed("--slide", slide).output
    assert replayed("--slide", "0" * 24).exit_code == 97
    assert replayed("--slide", slide, str(file)).exit_code == 2
    write_slide(file, 0.4)
    again = replayed("--slide", slide)
    assert again.exit_code == 98
    assert "mpp" in again.output


def test_a_slides_answers_are_compared() -> None:
    record = SlideAnswerRecord(
        slide="1",
        content_hash="2",
        question="colorectal-cancer-1",
        verdict="no",
        first_verdict="no",
        probability=0.1,
        calibrated=False,
        score=0.1,
        regions=0,
        tiles=9,
        tissue_mm2=1.0,
        positive_mm2=0.0,
        read_share=1.0,
        least_share_for_no=0.95,
        mpp_x=0.5,
        mpp_y=0.5,
        mpp_source="aperio metadata",
        model_id="m",
        revision="1",
        calibration=None,
        slide_calibration=None,
        seed=0,
        run=("healer=1", "revision=1"),
    )
    newer = record.model_copy(update={"run": ("healer=2", "revision=1"), "score": 0.105})
    assert slide_difference(record, newer) is None
    moved = record.model_copy(update={"score": 0.2})
    assert slide_difference(record, moved) == "the score moved by 0.1000"
    fewer = record.model_copy(update={"tiles": 8})
    assert slide_difference(record, fewer) == "8 tiles were scored, and 9 then"
    yes = record.model_copy(update={"verdict": "yes"})
    assert slide_difference(record, yes) == "another verdict at the same score"
    other = record.model_copy(update={"run": ("healer=1", "revision=2")})
    with pytest.raises(NotReplayable, match="revision=1"):
        slide_difference(record, other)
