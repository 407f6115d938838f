from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from healer.engines.openai.client import RetryPolicy
from healer.engines.openai.engine import OpenAIEngine
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.engines.openai.upstream import Upstream

BRIEF = RetryPolicy(timeout=5, attempts=3, wait=0.001, jitter=0.001, threshold=3, rest=60)
Open = Callable[..., OpenAIEngine]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens engines, and closes them at the end."""
    with ExitStack() as stack:

        def load(upstream: Upstream, retries: RetryPolicy = BRIEF, **more: Any) -> OpenAIEngine:  # noqa: ANN401
            engine = OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=retries, **more)
            stack.callback(engine.close)
            return engine

        yield load


@pytest.fixture
def engine(upstream: Upstream, opened: Open) -> OpenAIEngine:
    return opened(upstream)
