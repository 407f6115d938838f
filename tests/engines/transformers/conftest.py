from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from healer.questions.colorectal import COLORECTAL_CANCER

if TYPE_CHECKING:
    from healer.engines.transformers.engine import MedGemmaEngine
    from healer.engines.transformers.model import Gemma

Make = Callable[..., Path]
Load = Callable[..., "MedGemmaEngine"]
# (dtype, quantization), as the operator sets them
KINDS = [("float32", "none"), ("bfloat16", "none"), ("bfloat16", "8bit")]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """At this size more threads only wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a checkpoint in a folder of this test's own."""
    from tests.gemma import make_checkpoint

    return lambda **options: make_checkpoint(tmp_path / "model", **options)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that says yes to PINK and no to WHITE. Read only: shared by all tests."""
    from tests.gemma import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("taught"), taught=True)


@pytest.fixture
def load() -> Load:
    from healer.engines.transformers.engine import MedGemmaEngine

    def load_with(folder: Path, **options: object) -> MedGemmaEngine:
        plain: dict[str, object] = {
            "device": "cpu",
            "dtype": "float32",
            "quantization": "none",
            "allow_fallback": False,
            "threads": 0,
        }
        return MedGemmaEngine.load(folder, COLORECTAL_CANCER, **(plain | options))  # type: ignore[arg-type]

    return load_with


@pytest.fixture
def gemma(taught: Path) -> Gemma:
    """The taught model in float32, below the engine."""
    from healer.engines.transformers.loading import Plan, load_sound

    plan = Plan(taught, COLORECTAL_CANCER, "healer/taught", "cpu", "float32", "none")
    return load_sound(plan)[0]
