from __future__ import annotations

from pathlib import Path

import pytest

from healer.files.disk import atomic_write


def test_the_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    place = tmp_path / "a.json"
    place.write_bytes(b"old")
    with atomic_write(place) as stream:
        stream.write(b"new")
        assert place.read_bytes() == b"old"
    assert place.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException]
) -> None:
    place = tmp_path / "a.json"
    place.write_bytes(b"old")

    def fail_half_way() -> None:
        with atomic_write(place) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert place.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [place]


def test_a_draft_may_lie_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    draft = tmp_path / "run" / "draft"
    with atomic_write(tmp_path / "out", draft=draft) as stream:
        assert draft.exists()
        stream.write(b"all")
    assert (tmp_path / "out").read_bytes() == b"all"
    assert not draft.exists()


def test_a_private_draft_is_its_owners_and_never_anothers(tmp_path: Path) -> None:
    place, draft = tmp_path / "keys", tmp_path / ".keys.new"
    with atomic_write(place, draft=draft, private=True) as stream:
        stream.write(b"first")
        with pytest.raises(FileExistsError), atomic_write(place, draft=draft, private=True):
            raise AssertionError("two processes write one draft")
        assert draft.exists()
    assert place.read_bytes() == b"first"
    assert place.stat().st_mode & 0o777 == 0o600
