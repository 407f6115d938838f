"""A log, or a copy of one, is read as it lies there: nothing is altered, nothing left beside it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path

import pytest

from healer.audit.chain import export, verify
from healer.audit.store import Store
from healer.errors import AuditUnavailable, AuditUnreadable
from tests.audit.answers import answer

ENDS = ("", "-wal", "-shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: another user must be able to enter."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)  # noqa: PTH101, S103 - as any folder of copies
        yield Path(made)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Path]:
    """A log of two records that its service has open: the newest are in its write-ahead log."""
    with closing(Store(f"sqlite:///{tmp_path}/audit.db")) as store:
        store.append(answer("a"))
        store.append(answer("b"))
        yield tmp_path / "audit.db"


def copied(log: Path, folder: Path, ends: tuple[str, ...]) -> Path:
    for end in ends:
        shutil.copyfile(f"{log}{end}", folder / f"audit.db{end}")
    return folder / "audit.db"


def closed(log: Path) -> None:
    """As a service leaves it that has ended."""
    with closing(Store(f"sqlite:///{log}")) as store:
        store.append(answer("c"))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def without_writing(folder: Path) -> Iterator[None]:
    """Nobody may write there; and who may do so all the same is somebody else meanwhile."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        assert not os.access(folder, os.W_OK, effective_ids=True)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def read(log: Path) -> tuple[int, int]:
    with closing(Store(f"sqlite:///{log}", read_only=True)) as store:
        counted = verify(store.links()).head.sequence, export(store.links(), StringIO(), "csv")
    return counted[0], counted[1].sequence


def test_a_copy_that_cannot_be_written_is_read(live: Path, folder: Path) -> None:
    log = copied(live, folder, ENDS)
    closed(log)
    before = content(folder)
    assert before.keys() == {"audit.db"}
    with without_writing(folder):
        assert read(log) == (3, 3)
    assert content(folder) == before


def test_a_copy_of_a_log_in_use_is_read_to_its_newest_record(live: Path, folder: Path) -> None:
    log = copied(live, folder, ENDS)
    with without_writing(folder):
        assert read(log) == (2, 2)
    assert content(folder).keys() == {f"audit.db{end}" for end in ENDS}


def test_newest_records_that_cannot_be_taken_in_are_not_left_out_silently(
    live: Path, folder: Path
) -> None:
    log = copied(live, folder, ("", "-wal"))
    with without_writing(folder), pytest.raises(AuditUnreadable) as caught:
        read(log)
    assert "copy audit.db and audit.db-wal to a folder that can be written" in str(caught.value)
    assert caught.value.exit_code == 94
    log.chmod(0o644)
    assert read(log) == (2, 2)


def test_newest_records_lie_beside_the_file_that_a_link_leads_to(live: Path, folder: Path) -> None:
    link = folder / "link.db"
    link.symlink_to("copies/audit.db")
    copies = folder / "copies"
    copies.mkdir()
    log = copied(live, copies, ("", "-wal"))
    with without_writing(copies), pytest.raises(AuditUnreadable):
        read(link)
    log.chmod(0o644)
    assert read(link) == (2, 2)


def test_reading_a_log_at_rest_leaves_nothing_beside_it(live: Path, folder: Path) -> None:
    log = copied(live, folder, ENDS)
    closed(log)
    before = content(folder)
    assert read(log) == (3, 3)
    assert content(folder) == before


def test_reading_what_a_killed_service_left_alters_no_byte_of_it(live: Path, folder: Path) -> None:
    log = copied(live, folder, ("", "-wal"))
    before = content(folder)
    assert read(log) == (2, 2)
    after = content(folder)
    assert {name: after[name] for name in before} == before


def test_a_log_in_use_is_read_beside_its_service(live: Path) -> None:
    assert read(live) == (2, 2)
    closed(live)
    assert read(live) == (3, 3)


def test_nothing_is_written_through_what_was_opened_to_be_read(live: Path) -> None:
    with (
        closing(Store(f"sqlite:///{live}", read_only=True)) as store,
        pytest.raises(AuditUnavailable, match="opened to be read"),
    ):
        store.append(answer("d"))
    assert read(live) == (2, 2)


def test_a_name_that_an_address_would_escape_is_a_name(live: Path, folder: Path) -> None:
    odd = folder / "audit #1 ä&mode=rw.db"
    shutil.copyfile(copied(live, folder, ENDS), odd)
    for end in ENDS[1:]:
        shutil.copyfile(f"{live}{end}", f"{odd}{end}")
    assert read(odd) == (2, 2)
