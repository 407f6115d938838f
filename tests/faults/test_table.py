from __future__ import annotations

import inspect

from tests.conftest import REPO
from tests.faults.fault import Fault
from tests.faults.table import DOCUMENT, ORDER, faults_of, modules, rewritten


def rows() -> dict[str, Fault]:
    return {test: fault for module in modules() for test, fault in faults_of(module).items()}


def test_the_committed_table_is_the_one_the_tests_declare() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rewritten(document), "run `make generate`"


def test_each_row_is_a_test_that_is_held_to_it() -> None:
    for module in modules():
        assert faults_of(module)
        for name in faults_of(module):
            assert name.startswith("test_")
            assert "shown" in inspect.signature(getattr(module, name)).parameters


def test_no_fault_is_left_out_of_the_table() -> None:
    files = {path.stem for path in (REPO / "tests" / "faults").glob("test_*.py")}
    assert files == {"test_table", *(f"test_{name}" for name in ORDER)}
    names = [fault.name for fault in rows().values()]
    assert len(names) == len(set(names)) >= 20
