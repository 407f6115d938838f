from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openvino")
pytest.importorskip("torch")

from healer.conversion.request import ConversionRequest, Sample
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.conversion.exact import made_exact
from tests.gemma import PINK, WHITE, make_checkpoint

SAMPLES = (Sample("pink", PINK), Sample("white", WHITE))
MakeRequest = Callable[..., ConversionRequest]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """At this size more threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, in the published layout. Read only: shared by all tests."""
    return make_checkpoint(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that eight bits hold without a loss. Read only: shared by all tests."""
    return made_exact(make_checkpoint(tmp_path_factory.mktemp("exact"), layout="new"))


@pytest.fixture
def make_request(checkpoint: Path, tmp_path: Path) -> MakeRequest:
    """Makes a request for a conversion of `checkpoint` into a folder of this test's own."""

    def request(**changed: Any) -> ConversionRequest:  # noqa: ANN401
        plain = {"source": checkpoint, "out": tmp_path / "converted", "samples": SAMPLES}
        return ConversionRequest(**{"question": COLORECTAL_CANCER, **plain, **changed})

    return request
