"""The model's folder"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import predict, settings, until
from tests.server.conftest import wait_until_ready


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


@contextmanager
def serving(folder: Path, engine: str = "medgemma") -> Iterator[TestClient]:
    chosen = settings(
        engine=engine, model_dir=folder, dtype="float32", quantization="none", decoders=0
    )
    with TestClient(create_app(chosen)) as client:
        until(lambda: "loading" not in str(client.get("/health").json()["reason"]))
        yield client


def check_refusal(shown: Shown, folder: Path) -> None:
    with serving(folder) as client:
        shown.client(predict(client))
        shown.probes(client.get)


def check_recovery(shown: Shown, folder: Path) -> None:
    with serving(folder) as client:
        wait_until_ready(client)
        shown.recovered(predict(client))


@shows(
    Fault(
        "A file of the model was altered",
        "one byte of it, before the start",
        status=503,
        code="model_unavailable",
        not_ready="is not the file that was downloaded (its sha256 differs)",
        health="is not the file that was downloaded (its sha256 differs)",
        recovery="`healer download`, and a restart",
        also="Files of 32 MiB and more are compared by their size at the start, and by their hash "
        "by `healer doctor`.",
    )
)
def test_a_file_was_altered(shown: Shown, folder: Path) -> None:
    file = folder / "tokenizer.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?")
    check_refusal(shown, folder)
    file.write_bytes(whole)
    check_recovery(shown, folder)


@shows(
    Fault(
        "A file of the model is gone",
        "before the start, with HEALER_ENGINE=medgemma",
        status=503,
        code="model_unavailable",
        not_ready="is not a finished download: tokenizer.json is missing",
        health="is not a finished download: tokenizer.json is missing",
        recovery="`healer download`, and a restart",
    )
)
def test_a_file_is_gone(shown: Shown, folder: Path, tmp_path: Path) -> None:
    file = folder / "tokenizer.json"
    moved = file.rename(tmp_path / file.name)
    check_refusal(shown, folder)
    moved.rename(file)
    check_recovery(shown, folder)


@shows(
    Fault(
        "The model's folder is gone",
        "before the start, with HEALER_ENGINE=auto",
        status=200,
        health="no finished MedGemma download in MODEL_DIR",
        recovery="`healer download`, and a restart",
        also="**The built-in answers, and says so**: HEALER_ENGINE=medgemma or openvino makes it a "
        "refusal.",
    )
)
def test_the_folder_is_gone(shown: Shown, tmp_path: Path) -> None:
    with serving(tmp_path / "none", engine="auto") as client:
        wait_until_ready(client)
        answer = predict(client)
        shown.client(answer)
        assert answer.json()["model"]["engine"] == "builtin"
        shown.probes(client.get)
        shown.recovered(answer)


@shows(
    Fault(
        "The model's folder is removed while it serves",
        "all of it",
        status=200,
        recovery="nothing needs to, until the next start",
        also="The weights are in memory by then.",
    )
)
def test_the_folder_is_removed_while_serving(shown: Shown, folder: Path) -> None:
    with serving(folder) as client:
        wait_until_ready(client)
        before = predict(client).json()
        shutil.rmtree(folder)
        answer = predict(client, "white")
        shown.client(answer)
        shown.probes(client.get)
        again = predict(client)
        shown.recovered(again)
        assert again.json()["probability"] == before["probability"]
