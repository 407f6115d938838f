"""A folder is what its manifest says, or it is refused by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from healer.errors import ModelAltered, ModelIncomplete
from healer.weights.manifest import (
    CHUNK_BYTES,
    MANIFEST_FILE,
    SMALL_BYTES,
    Manifest,
    ManifestFile,
    check_folder,
    is_complete_folder,
    is_empty,
    read_manifest,
    save_manifest,
    sha256_of,
    strangers,
    weights_in,
)

COMMIT = "c" * 40
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished download whose weights are too large to be hashed unasked."""
    (tmp_path / "config.json").write_text('{"model_type": "gemma3"}')
    with (tmp_path / WEIGHTS).open("wb") as stream:
        stream.truncate(SMALL_BYTES)
    files = (_entry(tmp_path / "config.json"), _entry(tmp_path / WEIGHTS))
    save_manifest(tmp_path, Manifest(model_id="owner/model", revision=COMMIT, files=files))
    return tmp_path


def _entry(path: Path) -> ManifestFile:
    sha256 = sha256_of(path)
    return ManifestFile(name=path.name, size=path.stat().st_size, sha256=sha256)


def test_a_finished_folder_passes_and_is_read_back(folder: Path) -> None:
    found = check_folder(folder, deep=True)

    assert found == read_manifest(folder)
    assert (found.model_id, found.revision) == ("owner/model", COMMIT)
    assert found.size == SMALL_BYTES + len('{"model_type": "gemma3"}')
    assert found.created.tzinfo is not None
    assert is_complete_folder(folder)


def test_only_a_deep_check_hashes_the_weights_and_reports_progress(folder: Path) -> None:
    shallow: list[int] = []
    deep: list[int] = []

    check_folder(folder, advance=shallow.append)
    total = check_folder(folder, deep=True, advance=deep.append).size

    assert sum(shallow) == total - SMALL_BYTES
    assert sum(deep) == total
    assert max(deep) == CHUNK_BYTES


def test_a_small_file_with_other_content_is_named_without_a_deep_check(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gemma4"}')

    with pytest.raises(ModelAltered, match=r"config\.json .*its sha256 differs"):
        check_folder(folder)


def test_one_flipped_byte_in_the_weights_is_found_by_a_deep_check_only(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"\1")

    check_folder(folder)
    with pytest.raises(ModelAltered) as caught:
        check_folder(folder, deep=True)
    assert caught.value.file == WEIGHTS


def test_weights_of_another_size_are_named(folder: Path) -> None:
    with (folder / WEIGHTS).open("ab") as stream:
        stream.write(b"\0")

    with pytest.raises(ModelAltered, match="33,554,433 bytes instead of 33,554,432"):
        check_folder(folder)
    assert is_complete_folder(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "modeling.py", "pytorch_model.bin"])
def test_a_loadable_file_that_was_never_downloaded_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")

    with pytest.raises(ModelAltered, match="it is not in the manifest"):
        check_folder(folder)


@pytest.mark.parametrize(
    "name", ["._config.json", "._model.safetensors", ".DS_Store", "Thumbs.db", "desktop.ini"]
)
def test_what_a_desktop_leaves_beside_the_model_makes_it_neither_incomplete_nor_altered(
    folder: Path, name: str
) -> None:
    (folder / name).write_bytes(b"\0\5\x16\7")

    assert check_folder(folder, deep=True).model_id == "owner/model"
    assert is_complete_folder(folder)
    assert strangers(folder, ()) == ["config.json", WEIGHTS]
    assert weights_in(folder) == [folder / WEIGHTS]


def test_a_folder_of_leftover_files_alone_is_empty(tmp_path: Path) -> None:
    assert is_empty(tmp_path / "absent")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "THUMBS.DB").write_bytes(b"")
    assert is_empty(tmp_path)
    (tmp_path / ".git").mkdir()
    assert not is_empty(tmp_path)


def test_files_that_no_library_loads_do_no_harm(folder: Path) -> None:
    (folder / "README.md").write_text("notes")
    (folder / ".gitignore").write_text("*")

    check_folder(folder)


def test_a_missing_file_makes_the_folder_incomplete(folder: Path) -> None:
    (folder / WEIGHTS).unlink()

    with pytest.raises(ModelIncomplete, match=r"model\.safetensors is missing"):
        check_folder(folder)
    assert not is_complete_folder(folder)


def test_a_folder_without_a_manifest_or_no_folder_at_all_is_incomplete(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelIncomplete, match=r"it holds no healer-manifest\.json"):
            read_manifest(folder)
        assert not is_complete_folder(folder)


def test_a_manifest_that_is_a_folder_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).mkdir()

    with pytest.raises(ModelIncomplete, match="Is a directory"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("keep", [0, 40])
def test_a_half_written_manifest_is_damaged(folder: Path, keep: int) -> None:
    path = folder / MANIFEST_FILE
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(ModelIncomplete, match="is damaged"):
        check_folder(folder)


@pytest.mark.parametrize(
    ("old", "new"), [('"config.json"', '"../config.json"'), ('"format": 1', '"format": 2')]
)
def test_a_manifest_that_points_elsewhere_or_is_of_another_format_is_damaged(
    folder: Path, old: str, new: str
) -> None:
    path = folder / MANIFEST_FILE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(ModelIncomplete, match="is damaged"):
        read_manifest(folder)


def test_checking_needs_no_hub_library() -> None:
    code = "import sys, healer.weights.manifest; sys.exit('huggingface_hub' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_calibration_beside_the_model_is_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "healer-calibration.json").write_text("{}")
    (tmp_path / "extra.json").write_text("{}")

    assert strangers(tmp_path, ()) == ["extra.json"]
