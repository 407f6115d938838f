from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from healer.audit.chain import verify
from healer.audit.journal import Journal, open_journal
from healer.audit.records import Opinion
from healer.audit.store import PAUSE_SECONDS, Store
from healer.errors import AnswerUnknown, AuditOff, AuditUnavailable
from healer.settings.loading import Settings
from tests.audit.answers import answer


def journal_at(folder: Path, failure: str = "refuse") -> Journal:
    audit = f"sqlite:///{folder}/audit.db"
    return open_journal(Settings.model_validate({"audit": audit, "audit_failure": failure}))


def contents(folder: Path) -> list[dict[str, object]]:
    store = Store(f"sqlite:///{folder}/audit.db")
    links = list(store.links())
    verify(links)
    store.close()
    return [link.content for link in links]


def test_without_the_setting_nothing_is_recorded(tmp_path: Path) -> None:
    journal = open_journal(Settings())
    journal.check()
    assert journal.record(answer()) is None
    with pytest.raises(AuditOff):
        journal.review(Opinion(request_id="r1", agrees=True), None)
    assert journal.warnings() == []
    journal.close()
    assert not list(tmp_path.iterdir())


def test_the_address_is_never_shown() -> None:
    settings = Settings(audit=SecretStr("postgresql://u:s3cret@h/db"))
    assert "s3cret" not in f"{settings!r}{settings.model_dump()}"


def test_an_answer_and_its_review_are_recorded(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    assert journal.record(answer("r1")) is True
    assert journal.record(answer("r1", verdict="no")) is True
    opinion = Opinion(request_id="r1", agrees=False, note="mucosa")
    sealed = journal.review(opinion, "reader")
    with pytest.raises(AnswerUnknown):
        journal.review(Opinion(request_id="other", agrees=True), None)
    journal.close()
    _, newest, review = contents(tmp_path)
    assert (review["kind"], review["agrees"], review["note"]) == ("review", False, "mucosa")
    assert (review["request_id"], review["caller"]) == ("r1", "reader")
    assert review["answer"] == verify_hash(tmp_path, int(str(newest["sequence"])))
    assert sealed == verify_hash(tmp_path, 3)


def verify_hash(folder: Path, sequence: int) -> str:
    store = Store(f"sqlite:///{folder}/audit.db")
    links = list(store.links())
    store.close()
    return links[sequence - 1].hash


def test_refusing_raises_says_so_and_recovers(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    journal = journal_at(folder)
    with capture_logs() as logged:
        journal.check()
    assert logged[-1]["code"] == "audit_unavailable"
    assert journal.warnings() == ["the audit log cannot be written (audit_unavailable)"]
    with pytest.raises(AuditUnavailable):
        journal.record(answer())
    folder.mkdir()
    time.sleep(PAUSE_SECONDS)
    assert journal.record(answer()) is True
    assert journal.warnings() == []
    journal.close()
    assert [record["kind"] for record in contents(folder)] == ["answer"]


def test_degrading_answers_says_so_and_the_log_records_its_gap(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    journal = journal_at(folder, "degrade")
    with capture_logs() as logged:
        assert journal.record(answer("r1")) is False
        assert journal.record(answer("r2")) is False
    missing = [line for line in logged if line["event"] == "answer not recorded"]
    assert [line["request_id"] for line in missing] == ["r1", "r2"]
    assert "2 answers since" in journal.warnings()[1]
    with pytest.raises(AuditUnavailable):
        journal.review(Opinion(request_id="r1", agrees=True), None)
    folder.mkdir()
    time.sleep(PAUSE_SECONDS)
    assert journal.record(answer("r3")) is True
    assert journal.warnings() == []
    journal.close()
    gap, stored = contents(folder)
    assert (gap["kind"], gap["answers"]) == ("gap", 2)
    assert stored["request_id"] == "r3"


def test_a_gap_is_written_when_closing_too(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    journal = journal_at(folder, "degrade")
    assert journal.record(answer()) is False
    folder.mkdir()
    time.sleep(PAUSE_SECONDS)
    journal.close()
    assert [record["kind"] for record in contents(folder)] == ["gap"]


def test_a_gap_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "never", "degrade")
    assert journal.record(answer()) is False
    with capture_logs() as logged:
        journal.close()
    assert logged[-1]["event"] == "answers not recorded"
    assert logged[-1]["answers"] == 1
