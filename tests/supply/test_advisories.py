"""The auditors themselves, with a service that knows, does not know, or does not answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.supply.advisories import page, python
from tests.supply.service import advisories

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.txt"
    path.write_text("# exact versions\nPillow==13.0.0\nrich==15.0.0\n")
    return path


def osv(url: str) -> tuple[str, ...]:
    return ("--vulnerability-service", "osv", "--osv-url", f"{url}/osv")


def test_python_packages_are_sound_or_vulnerable(pins: Path) -> None:
    with advisories(vulnerable=None) as url:
        assert str(python(pins, [osv(url)])) == "Python, pins.txt: no known vulnerability"
    with advisories(vulnerable="pillow") as url:
        assert python(pins, [osv(url)]).found == ("pillow 13.0.0: PYSEC-0-1, mended in 99.0",)


def test_a_service_that_does_not_answer_is_no_clean_bill(pins: Path) -> None:
    with advisories(vulnerable=None, status=500) as url:
        report = python(pins, [osv(NOWHERE), osv(url)])
    assert report.found == ()
    assert len(report.unknown) == 2
    assert "NOT AUDITED" in str(report)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here")
def test_the_pages_packages_are_sound_vulnerable_or_unknown() -> None:
    with advisories(vulnerable=None) as url:
        assert str(page("--registry", url)).endswith("no known vulnerability")
    with advisories(vulnerable="zustand") as url:
        assert page("--registry", url).found == ("zustand: high, by It is open.",)
    with advisories(vulnerable=None, status=405) as url:
        assert "405" in page("--registry", url).unknown[0]
