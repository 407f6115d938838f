from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from healer.auth import keys
from healer.auth.keys import KeyFile, Keyring, add_key, key_digest, read_keys, revoke_key
from healer.errors import KeyExpired, KeyRejected, KeysUnreadable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_holder_of_a_key_is_named(file: Path) -> None:
    lis, archive = add_key(file, "lis", None), add_key(file, "archive", None)
    keyring = Keyring(file)
    assert (keyring.holder(lis), keyring.holder(archive)) == ("lis", "archive")
    assert keyring.warnings() == []


@pytest.mark.parametrize("offered", ["", "hk_", "hk_" + "A" * 43, "hk_ä", "x" * 10_000])
def test_no_other_key_is_accepted(file: Path, offered: str) -> None:
    add_key(file, "lis", None)
    with pytest.raises(KeyRejected):
        Keyring(file).holder(offered)


def test_the_digest_is_no_key(file: Path) -> None:
    add_key(file, "lis", None)
    with pytest.raises(KeyRejected):
        Keyring(file).holder(read_keys(file).keys[0].sha256)


def test_an_expired_key_is_refused_as_expired(file: Path) -> None:
    key = add_key(file, "lis", date(2020, 2, 29))
    keyring = Keyring(file)
    with pytest.raises(KeyExpired, match="2020-02-29"):
        keyring.holder(key)
    assert "no API key is good now" in keyring.warnings()[0]


def test_keys_come_and_go_while_it_runs(file: Path) -> None:
    old = add_key(file, "lis", None)
    keyring = Keyring(file)
    new = add_key(file, "lis-2", None)
    assert keyring.holder(old) == "lis"  # both, so that nobody is locked out meanwhile
    assert keyring.holder(new) == "lis-2"
    revoke_key(file, "lis")
    with pytest.raises(KeyRejected):
        keyring.holder(old)
    assert keyring.holder(new) == "lis-2"


def test_a_change_within_one_tick_of_the_clock_is_seen(file: Path) -> None:
    add_key(file, "lis", None)
    keyring, then = Keyring(file), file.stat()
    new = add_key(file, "lis-2", None)
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert keyring.holder(new) == "lis-2"


@pytest.mark.parametrize("broken", ["{", None])
def test_a_broken_or_missing_file_keeps_the_last_good_keys(file: Path, broken: str | None) -> None:
    key = add_key(file, "lis", None)
    good = file.read_text(encoding="utf-8")
    keyring = Keyring(file)
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    assert keyring.holder(key) == "lis"
    assert "cannot be read" in keyring.warnings()[0]
    with pytest.raises(KeyRejected):
        keyring.holder("hk_" + "A" * 43)
    file.write_text(good)
    assert keyring.warnings() == []


def test_a_key_revoked_in_a_file_that_once_failed_to_be_read_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is sound, and stays as it is: only one reading of it failed (a network share's)."""
    revoked = add_key(file, "lis", None)
    stored = add_key(file, "archive", None)
    keyring = Keyring(file)
    revoke_key(file, "lis")
    with monkeypatch.context() as share:
        share.setattr(keys, "read_keys", _stale)
        assert keyring.holder(revoked) == "lis"
        assert "Stale file handle" in keyring.warnings()[0]
    with pytest.raises(KeyRejected):
        keyring.holder(revoked)
    assert keyring.holder(stored) == "archive"
    assert keyring.warnings() == []


def _stale(file: Path) -> KeyFile:
    raise KeysUnreadable(str(file), "Stale file handle")


def test_a_change_while_the_file_is_read_is_not_missed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked = add_key(file, "lis", None)
    read = read_keys

    def read_then_changed(path: Path) -> KeyFile:
        found = read(path)
        monkeypatch.setattr(keys, "read_keys", read)
        revoke_key(path, "lis")
        return found

    monkeypatch.setattr(keys, "read_keys", read_then_changed)
    keyring = Keyring(file)
    with pytest.raises(KeyRejected):
        keyring.holder(revoked)


def test_a_file_rewritten_in_place_with_its_old_size_and_time_is_read_again(file: Path) -> None:
    revoked = add_key(file, "lis", None)
    keyring, then = Keyring(file), file.stat()
    text = file.read_text(encoding="utf-8")
    digest = read_keys(file).keys[0].sha256
    file.write_text(text.replace(digest, key_digest("hk_another")))
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    now = file.stat()
    assert (now.st_mtime_ns, now.st_ino, now.st_size) == (
        then.st_mtime_ns,
        then.st_ino,
        then.st_size,
    )
    with pytest.raises(KeyRejected):
        keyring.holder(revoked)
    assert keyring.holder("hk_another") == "lis"


def test_an_unchanged_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = add_key(file, "lis", None)
    monkeypatch.setattr("healer.auth.keys.SETTLED_NS", -1)
    keyring = Keyring(file)
    monkeypatch.setattr(keys, "read_keys", _stale)
    assert [keyring.holder(key) for _ in range(3)] == ["lis"] * 3
    assert keyring.warnings() == []


def test_what_cannot_be_read_is_logged_once(file: Path) -> None:
    key = add_key(file, "lis", None)
    keyring = Keyring(file)
    file.unlink()
    with capture_logs() as logged:
        for _ in range(3):
            keyring.holder(key)
    assert [line["event"] for line in logged] == ["api keys"]


def test_it_does_not_start_on_a_broken_or_missing_file(file: Path) -> None:
    with pytest.raises(KeysUnreadable, match="healer keys add"):
        Keyring(file)
