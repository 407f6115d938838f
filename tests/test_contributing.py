"""CONTRIBUTING.md is true: its paths are there, and its walk-throughs lead where they say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.walkthrough import follow, steps

TEXT = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
WALKTHROUGHS = re.findall(r"^## (Add .+)$", TEXT, re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a reader has: the code, the tests and the documents, without what was built."""
    folder = tmp_path / "healer"
    ignored = shutil.ignore_patterns("__pycache__", "page", "*.so", "hostile", "e2e")
    for name in ("src", "tests", "training", "docs"):
        shutil.copytree(REPO / name, folder / name, ignore=ignored)
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(REPO / name, folder / name)
    return folder


def test_there_are_walkthroughs_for_what_is_added_most() -> None:
    assert WALKTHROUGHS == ["Add a setting", "Add a question", "Add an engine"]


@pytest.mark.parametrize("heading", WALKTHROUGHS)
def test_a_walkthrough_leads_where_it_says(heading: str, copy: Path) -> None:
    followed = steps(TEXT, heading)
    assert followed[-1].kind == "console", "it ends with something to see"
    for step in followed:
        follow(step, copy)


def test_every_path_it_names_is_there() -> None:
    created = set(re.findall(r"In a new file `([^`]+)`", TEXT))
    paths = set(re.findall(r"`((?:src|docs|tests|scripts|\.ci)/[\w./-]+)", TEXT)) - created
    assert len(paths) > 5
    assert [path for path in sorted(paths) if not (REPO / path).exists()] == []


def test_every_make_target_it_names_is_one() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(re.findall(r"`make ([a-z-]+)`", TEXT)) <= targets
