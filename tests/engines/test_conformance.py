from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healer.engines.base import Engine
from healer.engines.builtin.engine import BuiltinEngine
from healer.engines.openai.client import Client
from healer.engines.openai.engine import OpenAIEngine
from healer.engines.openai.probe import probe_capabilities
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.engines.conformance import EngineConformance, tiles
from tests.engines.openai.conftest import BRIEF
from tests.engines.openai.upstream import Upstream
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


class ScriptedOpenAI(OpenAIEngine):
    """Against a scripted server of its own, which stops with it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream: Upstream | None = upstream.__enter__()
        server = Client(upstream.url, None, BRIEF)
        capabilities = probe_capabilities(server, None, COLORECTAL_CANCER)
        super().__init__(server, capabilities, COLORECTAL_CANCER)

    def close(self) -> None:
        super().close()
        if self._upstream is not None:
            self._upstream.stop()
        self._upstream = None


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "fake": lambda _: FakeEngine(),
    "builtin": lambda _: BuiltinEngine(threads=0),
    "medgemma": lambda folder: tiny_medgemma(folder, "none"),
    "medgemma-8bit": lambda folder: tiny_medgemma(folder, "8bit"),
    "openvino": tiny_openvino,
    "openai": lambda _: ScriptedOpenAI(Upstream()),
    "openai-grammar": lambda _: ScriptedOpenAI(Upstream(continues=False, obeys_grammar=True)),
    "openai-asked": lambda _: ScriptedOpenAI(
        Upstream(continues=False, words="Yes. It looks like it.")
    ),
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
