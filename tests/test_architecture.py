"""Every room of the package is in a layer of the import contracts and in the document's picture."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import healer
from tests.conftest import REPO

PACKAGE = Path(healer.__file__).parent
ENTRY = "__main__"  # calls cli, and is imported by nothing
DOCUMENT = (REPO / "docs" / "architecture.md").read_text(encoding="utf-8")


def rooms() -> set[str]:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    return packages | modules - {"__init__", ENTRY}


def layers() -> list[str]:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layered,) = (contract for contract in contracts if contract["type"] == "layers")
    return [name.strip() for layer in layered["layers"] for name in layer.split("|")]


def test_every_room_is_in_one_layer_and_every_layer_is_a_room() -> None:
    assert sorted(layers()) == sorted(f"healer.{room}" for room in rooms())


def test_the_document_names_every_room() -> None:
    assert [room for room in sorted(rooms()) if not re.search(rf"\b{room}\b", DOCUMENT)] == []


def test_every_document_it_points_to_is_there() -> None:
    targets = set(re.findall(r"\]\(([^)#:]+)", DOCUMENT))
    assert len(targets) > 5
    assert [name for name in sorted(targets) if not (REPO / "docs" / name).exists()] == []
