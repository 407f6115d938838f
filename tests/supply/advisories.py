"""Known vulnerabilities in what is pinned: Python's by pip-audit, the page's by npm audit.

Both end well, or the same way, whether a package is sound, vulnerable or unknown to the service
that they query. Here these are three outcomes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPO

PINS = REPO / "constraints.txt"
PAGE = REPO / "frontend"
SERVICES = (("--vulnerability-service", "pypi"), ("--vulnerability-service", "osv"))


@dataclass(frozen=True, slots=True)
class Audit:
    """`found` are vulnerabilities, `unknown` what is not known and why; a sentence each."""

    of: str
    found: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.found:
            return "\n  ".join((f"{self.of}: {len(self.found)} vulnerable", *self.found))
        if self.unknown:
            return "\n  ".join((f"{self.of}: NOT AUDITED, so nothing is known", *self.unknown))
        return f"{self.of}: no known vulnerability"


def python(pins: Path = PINS, services: Sequence[Sequence[str]] = SERVICES) -> Audit:
    """Of exact versions; a service is queried where the one before it did not know them all."""
    audits = []
    for service in services:
        audits.append(audit_by(pins, service))
        if audits[-1].found or not audits[-1].unknown:
            return audits[-1]
    return Audit(audits[0].of, unknown=tuple(why for audit in audits for why in audit.unknown))


def audit_by(pins: Path, service: Sequence[str]) -> Audit:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json", *service]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    of = f"Python, {pins.name}"
    try:
        report = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Audit(of, unknown=(f"{service[1]}: {last(done.stderr)}",))
    found = tuple(
        f"{each['name']} {each['version']}: {one['id']}, mended in {versions(one)}"
        for each in report
        for one in each.get("vulns", ())
    )
    skipped = [each["name"] for each in report if "skip_reason" in each]
    why = f"{service[1]}: it knows nothing of {len(skipped)} of {len(report)} packages"
    return Audit(of, found, (why,) if skipped else ())


def versions(vulnerability: dict[str, list[str]]) -> str:
    return ", ".join(vulnerability["fix_versions"]) or "no version yet"


def last(words: str) -> str:
    return words.strip().rpartition("\n")[2] or "it said nothing"


def page(*options: str) -> Audit:
    """Of what is locked, what builds the page included."""
    of = "npm, package-lock.json"
    if shutil.which("npm") is None:
        return Audit(of, unknown=("npm is not here",))
    command = ["npm", "--prefix", str(PAGE), "audit", "--package-lock-only", "--json", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return Audit(of, unknown=(last(done.stderr),))
    if "vulnerabilities" not in report:
        return Audit(of, unknown=(report.get("message", "it said nothing"),))
    found = report["vulnerabilities"].values()
    return Audit(of, tuple(f"{e['name']}: {e['severity']}, by {reasons(e['via'])}" for e in found))


def reasons(via: list[dict[str, str] | str]) -> str:
    """What is known of it, or the packages of its own that something is known of."""
    return ", ".join(each if isinstance(each, str) else each["title"] for each in via)
