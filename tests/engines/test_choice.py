from __future__ import annotations

from pathlib import Path

import pytest

from healer import manifest
from healer.config import Settings
from healer.engines.choice import choose, open_engine
from healer.errors import ModelIncomplete
from healer.manifest import Manifest, ManifestFile
from healer.screening.question import COLORECTAL_CANCER


def finished_download(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entry = ManifestFile(
        name="config.json", size=2, sha256=manifest.sha256_of(folder / "config.json")
    )
    manifest.write(folder, Manifest(model_id="google/x", revision="0" * 40, files=(entry,)))
    return folder


def test_auto_takes_the_built_in_where_nothing_was_downloaded(tmp_path: Path) -> None:
    choice = choose(Settings(model_dir=tmp_path / "absent"))
    assert choice.engine == "builtin"
    assert "no finished MedGemma download" in choice.reason


def test_auto_takes_medgemma_where_a_download_was_finished(tmp_path: Path) -> None:
    choice = choose(Settings(model_dir=finished_download(tmp_path / "model")))
    assert choice.engine == "medgemma"
    assert "google/x" in choice.reason


def test_auto_does_not_take_a_half_written_folder(tmp_path: Path) -> None:
    folder = finished_download(tmp_path / "model")
    (folder / manifest.NAME).unlink()
    assert choose(Settings(model_dir=folder)).engine == "builtin"


def test_what_is_asked_for_is_taken_and_fails_if_it_must(tmp_path: Path) -> None:
    settings = Settings(engine="medgemma", model_dir=tmp_path)
    choice = choose(settings)
    assert (choice.engine, choice.reason) == ("medgemma", "HEALER_ENGINE asks for it")
    with pytest.raises(ModelIncomplete):
        open_engine(choice, settings, COLORECTAL_CANCER)
