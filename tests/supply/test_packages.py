"""What Healer brings along is named, pinned, allowed, and complete for every kind of machine."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPO
from tests.supply.licences import DOCUMENT, allowed, refused, row, spdx
from tests.supply.packages import Package, declared, installed, locked, shipped

MACHINES = [
    f"{system}-{cpu}" for system in ("linux", "darwin", "win32") for cpu in ("x64", "arm64")
]


@pytest.fixture(scope="module")
def everything() -> list[Package]:
    return [*installed(), *shipped()]


def test_every_licence_is_one_that_somebody_has_allowed(everything: list[Package]) -> None:
    assert refused(everything) == []


def test_every_licence_is_written_down(everything: list[Package]) -> None:
    written = DOCUMENT.read_text(encoding="utf-8").splitlines()
    assert [each.name for each in everything if row(each) not in written] == []


@pytest.mark.parametrize(
    ("licence", "outcome"),
    [
        ("Apache 2.0 License", True),
        ("(MPL-2.0 OR GPL-3.0-only)", True),
        ("MPL-2.0 AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 WITH Commons-Clause", False),
        ("MIT OR SEE LICENSE IN FREE.md", True),
        ("SEE LICENSE IN FREE.md", False),
        ("none stated", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_where_one_can_keep_to_it(licence: str, outcome: bool) -> None:
    assert allowed(spdx(licence)) is outcome


def test_every_dependency_has_its_line_in_the_documents() -> None:
    text = (REPO / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    named = set(re.findall(r"[a-z0-9_-]+", text))
    requested = {each.name.lower() for some in declared().values() for each in some}
    assert requested - named == set()


def test_every_package_that_is_brought_is_pinned() -> None:
    pins = (REPO / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    assert [each.name for each in installed() if f"\n{each.name}==" not in pins] == []


def test_the_lock_holds_every_systems_binaries() -> None:
    lock = locked()
    requested = {name for each in lock.values() for name in each.get("optionalDependencies", ())}
    assert {name for name in requested if f"node_modules/{name}" not in lock} == set()
    for machine in MACHINES:
        assert any(f"esbuild/{machine}" in where for where in lock), machine


def test_the_lock_binds_contents_and_names_no_registry() -> None:
    assert [where for where, each in locked().items() if "resolved" in each] == []
    loose = {where for where, each in locked().items() if "integrity" not in each}
    assert {where for where in loose if not locked()[where].get("inBundle")} == set()
