from __future__ import annotations

import pytest

from benchmarks.medgemma import ceilings
from benchmarks.medgemma.ceilings import SMALL, machine, matrix_rates, read_rate

pytest.importorskip("torch")


def test_every_type_is_measured_through_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "TRIALS", 1)
    found = list(matrix_rates("language", SMALL["language"]))
    assert {each["type"] for each in found if each["through"] == "torch"} == {
        "float32",
        "bfloat16",
        "int8",
    }
    assert all(float(str(each["rate"])) > 0 for each in found)


def test_reading_and_the_machine() -> None:
    assert read_rate(1 << 16) > 0
    about = machine()
    assert about["processor"]
    assert int(str(about["cores"])) >= 1
