from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from healer.access import keys
from healer.access.keyring import Keyring
from healer.errors import KeyExpired, KeyRejected, KeysUnreadable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_holder_of_a_key_is_named(file: Path) -> None:
    lis, archive = keys.add(file, "lis", None), keys.add(file, "archive", None)
    keyring = Keyring(file)
    assert (keyring.holder(lis), keyring.holder(archive)) == ("lis", "archive")
    assert keyring.warnings() == []


@pytest.mark.parametrize("offered", ["", "hk_", "hk_" + "A" * 43, "hk_ä", "x" * 10_000])
def test_no_other_key_is_accepted(file: Path, offered: str) -> None:
    keys.add(file, "lis", None)
    with pytest.raises(KeyRejected):
        Keyring(file).holder(offered)


def test_the_digest_is_no_key(file: Path) -> None:
    keys.add(file, "lis", None)
    with pytest.raises(KeyRejected):
        Keyring(file).holder(keys.read(file).keys[0].sha256)


def test_an_expired_key_says_so_to_whoever_has_it(file: Path) -> None:
    key = keys.add(file, "lis", date(2020, 2, 29))
    keyring = Keyring(file)
    with pytest.raises(KeyExpired, match="2020-02-29"):
        keyring.holder(key)
    assert "no API key is good now" in keyring.warnings()[0]


def test_keys_come_and_go_while_it_runs(file: Path) -> None:
    old = keys.add(file, "lis", None)
    keyring = Keyring(file)
    new = keys.add(file, "lis-2", None)
    assert keyring.holder(old) == "lis"  # both, so that nobody is locked out meanwhile
    assert keyring.holder(new) == "lis-2"
    keys.revoke(file, "lis")
    with pytest.raises(KeyRejected):
        keyring.holder(old)
    assert keyring.holder(new) == "lis-2"


def test_a_change_within_one_tick_of_the_clock_is_seen(file: Path) -> None:
    keys.add(file, "lis", None)
    keyring, then = Keyring(file), file.stat()
    new = keys.add(file, "lis-2", None)
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert keyring.holder(new) == "lis-2"


@pytest.mark.parametrize("broken", ["{", None])
def test_a_broken_or_missing_file_keeps_the_last_good_keys(file: Path, broken: str | None) -> None:
    key = keys.add(file, "lis", None)
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


def test_it_does_not_start_on_a_broken_or_missing_file(file: Path) -> None:
    with pytest.raises(KeysUnreadable, match="healer keys add"):
        Keyring(file)
