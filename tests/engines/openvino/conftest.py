from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from healer.questions.colorectal import COLORECTAL_CANCER

if TYPE_CHECKING:
    from healer.engines.openvino.engine import OpenVINOEngine

Load = Callable[..., "OpenVINOEngine"]


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that says yes to PINK and no to WHITE. Read only: shared by all tests."""
    pytest.importorskip("torch")
    from tests.gemma import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("taught"), taught=True)


@pytest.fixture(scope="session")
def shared(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`taught`, converted. Read only: shared by all tests."""
    pytest.importorskip("openvino")
    return convert(taught, tmp_path_factory.mktemp("converted") / "openvino")


@pytest.fixture
def converted(shared: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(shared, tmp_path / "model" / "openvino"))


@pytest.fixture
def load() -> Iterator[Load]:
    opened = []

    def load_with(folder: Path, **options: object) -> OpenVINOEngine:
        from healer.engines.openvino.engine import OpenVINOEngine

        plain: dict[str, object] = {"threads": 1, "dtype": "bfloat16", "cache_mb": 64}
        engine = OpenVINOEngine.load(folder, COLORECTAL_CANCER, **(plain | options))  # type: ignore[arg-type]
        opened.append(engine)
        return engine

    yield load_with
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(shared: Path, load: Load) -> OpenVINOEngine:
    return load(shared)


def convert(checkpoint: Path, out: Path) -> Path:
    from healer.conversion.convert import convert as run
    from healer.conversion.request import ConversionRequest, Sample
    from tests.gemma import PINK, WHITE

    samples = (Sample("pink", PINK), Sample("white", WHITE))
    run(ConversionRequest(checkpoint, out, COLORECTAL_CANCER, samples))
    return out
