from __future__ import annotations

import pytest

from benchmarks.errors import BenchmarkError
from tests.conftest import REPO
from tests.test_errors import example_of

KINDS: list[type[BenchmarkError]] = [BenchmarkError, *BenchmarkError.__subclasses__()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_says_what_happened_and_its_exit_code_is_documented(
    kind: type[BenchmarkError],
) -> None:
    error = example_of(kind)
    for value in error.fields().values():
        assert str(value) in str(error)
    documented = (REPO / "docs" / "performance.md").read_text(encoding="utf-8")
    assert f"| {kind.exit_code} | {kind.title} |" in documented


def test_codes_are_each_used_once() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    assert len({kind.exit_code for kind in KINDS}) == len(KINDS)
