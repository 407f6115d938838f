from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healer.engines.base import Engine
from healer.engines.builtin.engine import BuiltinEngine
from healer.screening.question import COLORECTAL_CANCER
from tests.engines.conformance import EngineConformance, tiles
from tests.fake_engine import FakeEngine


def tiny_medgemma(folder: Path, quantization: str) -> Engine:
    pytest.importorskip("torch")
    from healer.engines.transformers.engine import MedGemmaEngine
    from tests.gemma import make_checkpoint

    return MedGemmaEngine.load(
        make_checkpoint(folder),
        COLORECTAL_CANCER,
        device="cpu",
        dtype="bfloat16",
        quantization=quantization,
        allow_fallback=False,
        threads=1,  # more only wait for each other at this size
    )


def tiny_openvino(folder: Path) -> Engine:
    pytest.importorskip("openvino")
    pytest.importorskip("torch")
    from healer.engines.openvino.engine import OpenVINOEngine
    from tests.engines.openvino.conftest import convert
    from tests.gemma import make_checkpoint

    converted = convert(make_checkpoint(folder), folder / "openvino")
    return OpenVINOEngine.load(
        converted, COLORECTAL_CANCER, threads=1, dtype="bfloat16", cache_mb=1
    )


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "fake": lambda _: FakeEngine(),
    "builtin": lambda _: BuiltinEngine(threads=0),
    "medgemma": lambda folder: tiny_medgemma(folder, "none"),
    "medgemma-8bit": lambda folder: tiny_medgemma(folder, "8bit"),
    "openvino": tiny_openvino,
}


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    opened = ENGINES[request.param](tmp_path_factory.mktemp(request.param))
    yield opened
    opened.close()


class TestConformance(EngineConformance):
    pass


@pytest.mark.parametrize("name", list(ENGINES))
def test_closing_twice_is_closing_once(name: str, tmp_path: Path) -> None:
    engine = ENGINES[name](tmp_path / "model")
    engine.score(tiles()[:1])
    engine.close()
    engine.close()
