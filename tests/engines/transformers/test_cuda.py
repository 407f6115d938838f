"""What only a GPU can show: that work is recorded there, and answers as the CPU does."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("there is no CUDA device here", allow_module_level=True)

from healer.engines.base import Answer  # noqa: E402
from healer.engines.transformers.capture import PLAIN  # noqa: E402
from healer.engines.transformers.static import StaticGemma  # noqa: E402
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
        asked = list(zip(found, [Answer.YES, Answer.NO], strict=False))
        together = ["".join(text) for text in there.explain_all(asked)]
        assert together == ["".join(there.explain(*each)) for each in asked]
        assert together == [
            "".join(here.explain(*each))
            for each in zip(expected, [Answer.YES, Answer.NO], strict=False)
        ]


def test_everything_is_recorded(taught: Path, load: Load) -> None:
    engine = load(taught, device="cuda", dtype="bfloat16")
    "".join(engine.explain(engine.score([tiny.PINK])[0], Answer.YES))
    gemma = engine._ready()
    assert isinstance(gemma, StaticGemma)
    assert set(gemma.how) == {"look", "opening, 1", "decoding, 1"}
    assert PLAIN not in gemma.how.values()
