"""What only a GPU can show: that it answers as the CPU does."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("there is no CUDA device here", allow_module_level=True)

from healer.engines.base import Answer  # noqa: E402
from tests import gemma as tiny  # noqa: E402
from tests.engines.transformers.conftest import Load  # noqa: E402
from tests.engines.transformers.test_engine import noise  # noqa: E402

TILES = [tiny.PINK, tiny.WHITE, noise(0), noise(1), noise(2)]
TOLERANCE = {"float32": 1e-2, "bfloat16": 0.15}  # of a margin, between two machines' sums


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_gpu_answers_as_the_cpu_does(taught: Path, load: Load, dtype: str) -> None:
    there, here = (load(taught, device=device, dtype=dtype) for device in ("cuda", "cpu"))
    expected = here.score(TILES)
    for found in (there.score(TILES), [there.score([tile])[0] for tile in TILES]):
        for one, other in zip(found, expected, strict=True):
            assert one.margin == pytest.approx(other.margin, abs=TOLERANCE[dtype])
        for one, other, answer in zip(found, expected, [Answer.YES, Answer.NO], strict=False):
            assert "".join(there.explain(one, answer)) == "".join(here.explain(other, answer))
