from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from healer.server.webpage import PAGE, install_page, page_response


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page as the build writes it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>Healer</title>")
    (tmp_path / "assets" / "index-0a1b.js").write_text("let healer;" * 1000)
    return tmp_path


@pytest.fixture
def assets(folder: Path) -> TestClient:
    app = FastAPI()
    install_page(app, folder)
    return TestClient(app)


def test_the_built_page_is_served_under_its_policy(folder: Path) -> None:
    response = page_response(folder)
    assert Path(response.path) == folder / "index.html"  # type: ignore[attr-defined]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-cache"


def test_a_file_named_by_its_hash_is_fetched_once_and_small(assets: TestClient) -> None:
    response = assets.get("/page/assets/index-0a1b.js")
    assert response.headers["cache-control"].endswith("immutable")
    assert response.headers["content-encoding"] == "gzip"
    assert assets.get("/page/index.html").headers["cache-control"] == "no-cache"
    assert assets.get("/page/assets/absent.js").status_code == 404


def test_without_a_build_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    body = bytes(page_response(tmp_path).body).decode()
    assert "scripts/page" in body
    assert "curl -F image_file=@tile.png" in body
    app = FastAPI()
    install_page(app, tmp_path / "absent")
    assert TestClient(app).get("/page/index.html").status_code == 404


def test_the_built_page_requests_nothing_from_other_hosts() -> None:
    index = PAGE / "index.html"
    if not index.is_file():
        pytest.skip("the page is not built here: scripts/page builds it where Node.js is")
    text = index.read_text(encoding="utf-8")
    assert "://" not in text
    named = re.findall(r'(?:src|href)="/page/([^"]+)"', text)
    assert len(named) >= 3
    assert [name for name in named if not (PAGE / name).is_file()] == []
