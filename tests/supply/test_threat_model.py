"""The threat model names tests and files that exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPO

TEXT = (REPO / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|src|scripts)/[\w./:-]+)`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_what_shows_it_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert (REPO / path).exists()
    if test:
        assert f"def {test}(" in (REPO / path).read_text(encoding="utf-8")


def test_every_threat_has_something_that_shows_it() -> None:
    rows = [line for line in TEXT.splitlines() if re.match(r"\| [STRIDE, ]+ \|", line)]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"`[\w./:-]+`|\]\(", row.split("|")[4])] == []
