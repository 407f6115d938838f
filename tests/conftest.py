"""Fixtures shared by every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # no test speaks to anyone outside

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("HEALER_TEST_DATA", REPO.parent / "shared" / "data"))
    if not (folder / "samples" / "index.csv").is_file():
        pytest.skip("no real images here: set HEALER_TEST_DATA to a folder that holds samples/")
    return folder


@pytest.fixture(scope="session")
def samples(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "samples").glob("*.png"))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's own settings, token or `.env`."""
    ours = ("HEALER_", "MODEL_", "MY_HF_", "HF_TOKEN", "PORT")
    for name in list(os.environ):
        if name.startswith(ours) and not name.startswith("HEALER_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
