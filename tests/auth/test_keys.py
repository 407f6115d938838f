from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from healer.auth.keys import ApiKey, add_key, key_digest, read_keys, revoke_key
from healer.errors import KeyNameTaken, KeysNotWritable, KeysUnreadable, KeyUnknown


def file_in(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_random_and_only_its_digest_is_stored(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    first, second = add_key(file, "lis", None), add_key(file, "archive", None)
    assert re.fullmatch(r"hk_[A-Za-z0-9_-]{43}", first)  # 256 bits in base64
    assert first != second
    stored = file.read_text(encoding="utf-8")
    assert first not in stored
    assert first.removeprefix("hk_") not in stored
    assert [key.name for key in read_keys(file).keys] == ["lis", "archive"]
    assert read_keys(file).keys[0].sha256 == key_digest(first)


def test_a_new_file_is_its_owners_alone_and_another_keeps_its_mode(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    add_key(file, "lis", None)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    add_key(file, "archive", None)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_a_name_stands_for_one_key(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    add_key(file, "lis", None)
    with pytest.raises(KeyNameTaken, match="lis"):
        add_key(file, "lis", None)
    revoke_key(file, "lis")
    assert read_keys(file).keys == ()
    with pytest.raises(KeyUnknown):
        revoke_key(file, "lis")


def test_a_key_is_good_on_its_last_day_and_not_after(tmp_path: Path) -> None:
    file, today = file_in(tmp_path), datetime.now(UTC).date()
    for name, expires in (
        ("never", None),
        ("later", today + timedelta(days=1)),
        ("before", today - timedelta(days=1)),
    ):
        add_key(file, name, expires)
    assert {key.name for key in read_keys(file).keys if key.expired} == {"before"}
    assert not ApiKey(
        name="a", sha256="0" * 64, created=datetime.now(UTC), expires=date.max
    ).expired


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON"),
        ('{"keys": [{"name": "lis"}]}', "Field required"),
        ('{"keys": [], "more": 1}', "Extra inputs"),
        ('{"keys": [{"name": "a b", "sha256": "x", "created": "2026-01-01"}]}', "String should"),
    ],
)
def test_what_is_no_file_of_keys_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file_in(tmp_path).write_text(text)
    with pytest.raises(KeysUnreadable, match=why):
        read_keys(file_in(tmp_path))


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    add_key(file, "lis", None)
    only = read_keys(file).keys[0].model_dump_json()
    file.write_text(f'{{"keys": [{only}, {only}]}}')
    with pytest.raises(KeysUnreadable, match="twice"):
        read_keys(file)


def test_two_that_write_at_once_lose_no_key(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    add_key(file, "lis", None)
    before = file.read_bytes()
    (tmp_path / ".keys.json.new").touch()  # another is about to replace it
    with pytest.raises(KeysNotWritable, match=r"another `healer keys`.*\.keys\.json\.new"):
        add_key(file, "archive", None)
    assert file.read_bytes() == before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file_in(tmp_path))
    add_key(link, "lis", None)
    assert link.is_symlink()
    assert len(read_keys(file_in(tmp_path)).keys) == 1


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(KeysNotWritable, match="No such file"):
        add_key(tmp_path / "nowhere" / "keys.json", "lis", None)
