from __future__ import annotations

from pathlib import Path

import pytest

from tests.telemetry.scraped import scraped


@pytest.fixture(scope="session")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real scrape of an application that has seen everything."""
    folder: Path = tmp_path_factory.mktemp("seen")
    return scraped(folder)
