"""The shared suite, for each way an explanation is made to begin with its answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from healer.engines.base import Engine
from healer.engines.openai.engine import OpenAIEngine
from healer.screening.question import COLORECTAL_CANCER
from tests.engines.conformance import EngineConformance
from tests.engines.openai.conftest import BRIEF
from tests.engines.openai.upstream import Upstream

MANNERS = {
    "prefill": Upstream(),
    "grammar": Upstream(continues=False, obeys_grammar=True),
    "in-its-own-words": Upstream(continues=False, words="Yes. It looks like it."),
}


@pytest.fixture(scope="module", params=list(MANNERS))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with MANNERS[request.param] as upstream:
        opened = OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, patience=BRIEF)
        yield opened
        opened.close()
        opened.close()


class TestConformance(EngineConformance):
    pass
