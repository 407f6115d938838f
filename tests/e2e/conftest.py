from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from healer.server.webpage import PAGE
from tests.conftest import REPO
from tests.e2e.servers import Serving

TIMEOUT_MS = 30_000  # two busy cores; nothing waits this long where all is well
NARROW = {"width": 360, "height": 740}

OpenPage = Callable[..., Page]


def find_chromium() -> str | None:
    named = os.environ.get("HEALER_TEST_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium here: apt-get install chromium, or set HEALER_TEST_CHROMIUM")
    if not (PAGE / "index.html").is_file():
        pytest.skip("the page is not built here: scripts/page builds it where Node.js is")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # Root, as which containers run tests, cannot make Chromium's own sandbox.
        sandbox = os.getuid() != 0
        browser = playwright.chromium.launch(executable_path=executable, chromium_sandbox=sandbox)
        yield browser
        browser.close()


# The page itself shows what a server answered, and one that is closed may have been loading still:
# Chromium's own lines about these are no fault.
CHROMIUMS = ("Failed to load resource", "Failed to fetch dynamically imported module")


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page of its own context; at the end, no page may have broken its own policy."""
    contexts = []
    complaints: list[str] = []

    def opened(url: str, **options: Any) -> Page:  # noqa: ANN401 - Playwright's own options
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [
        complaint for complaint in complaints if not any(part in complaint for part in CHROMIUMS)
    ] == []


@pytest.fixture(scope="package")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("serving") / "log")
    yield serving
    serving.kill()


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's source, as npm installed it."""
    source = REPO / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        pytest.skip("axe-core is not installed here: scripts/page installs it where Node.js is")
    return source.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tumour(data_dir: Path) -> Path:
    return data_dir / "samples" / "nct-TUM-AACHEHDV.png"


@pytest.fixture(scope="session")
def normal(data_dir: Path) -> Path:
    return data_dir / "samples" / "nct-NORM-AAAWMSFI.png"


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temple in China, which scikit-learn ships."""
    from sklearn.datasets import load_sample_image

    path = tmp_path_factory.mktemp("photograph") / "holiday.jpg"
    Image.fromarray(load_sample_image("china.jpg")).save(path)
    return path
