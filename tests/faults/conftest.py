from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault import COLUMNS, FAULTS, Shown
from tests.faults.supervised import Supervised, supervised


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Iterator[Shown]:
    test = request.function
    shown = Shown(FAULTS[test.__module__, test.__name__])
    yield shown
    assert shown.checked == COLUMNS, "the test has not checked every column of its row"


@pytest.fixture(scope="package")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """Waits briefly, for its model and for its end; what it logs goes to a full disk."""
    folder = tmp_path_factory.mktemp("hasty")
    with supervised(folder, grace=2, log="/dev/full", HEALER_HANG_SECONDS="4") as server:
        yield server


@pytest.fixture(scope="package")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of MedGemma's layout, and tiny. Read only: shared by all tests."""
    pytest.importorskip("torch")
    from tests.gemma import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))
