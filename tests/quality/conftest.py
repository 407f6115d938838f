from __future__ import annotations

import pytest

from healer.quality.gate import Gate


@pytest.fixture(scope="session")
def gate() -> Gate:
    return Gate()
