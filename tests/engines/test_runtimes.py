"""The two libraries that run the built-in network: which is taken, and that they agree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pytest

pytest.importorskip("openvino", reason="needs healer[openvino]")

from healer.engines.builtin import INT8_FOLDER, MODEL_FOLDER, SPEC, openvino_session, runtime
from healer.engines.builtin.engine import BuiltinEngine, open_engine, read_model_files
from healer.engines.builtin.openvino_session import FEW, MOST_TOGETHER, OFTEN, OpenVinoSession
from healer.engines.builtin.runtime import Runtime, calibration_of, check_runtime, runtime_of
from healer.engines.builtin.session import SCORES, SIDE, Outputs, Pixels, Session, open_session
from healer.errors import ModelUnsound
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.calibration import (
    CALIBRATION_FILE,
    load_calibration,
    load_reference,
    reference_beside,
)
from healer.screening.screener import known_tile
from healer.settings.loading import Settings

THREADS = 2
MODEL = read_model_files(INT8_FOLDER)


def settings(quantization: str = "8bit") -> Settings:
    return Settings(_env_file=None, threads=1, quantization=quantization)


def squares(count: int, seed: int = 0) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8))


@pytest.fixture(scope="module")
def openvino() -> Session:
    return open_session(MODEL.network, MODEL.quantization, THREADS, Runtime.OPENVINO)


@pytest.fixture(scope="module")
def onnx() -> Session:
    return open_session(MODEL.network, MODEL.quantization, THREADS, Runtime.ONNX)


@pytest.fixture(scope="module")
def engine() -> Iterator[BuiltinEngine]:
    opened = BuiltinEngine(THREADS, INT8_FOLDER, runtime=Runtime.OPENVINO)
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MOST_TOGETHER, MOST_TOGETHER + 1])
def test_both_give_every_square_nearly_the_same(
    openvino: Session, onnx: Session, count: int
) -> None:
    given = squares(count)
    one, other = openvino.run(given), onnx.run(given)
    assert list(one) == list(other) == list(onnx.outputs)
    for name, values in one.items():
        assert values.shape == other[name].shape
        assert values.dtype == other[name].dtype
    assert np.abs(one[SCORES] - other[SCORES]).max() < 0.15
    assert not np.array_equal(one[SCORES], other[SCORES])


def test_a_square_gives_the_same_among_any_others(openvino: Session) -> None:
    given = squares(MOST_TOGETHER)
    together = openvino.run(given)[SCORES]
    alone = np.concatenate([openvino.run([each])[SCORES] for each in given])
    few = np.concatenate([openvino.run(given[:5])[SCORES], openvino.run(given[5:])[SCORES]])
    assert np.allclose(together, alone, atol=1e-4)
    assert np.allclose(together, few, atol=1e-4)


def test_few_squares_that_come_often_are_computed_one_by_one() -> None:
    session = OpenVinoSession(MODEL.network, MODEL.quantization, 1)
    given = squares(FEW)
    before = session.run(given)[SCORES]
    for _ in range(OFTEN):
        session.run(given)
    assert session._single is not None
    assert session._single.result().squares == 1
    assert session._for_few() is session._single.result()
    assert np.allclose(session.run(given)[SCORES], before, atol=1e-4)


def test_threads_do_not_mix_their_squares(openvino: Session) -> None:
    lists = [squares(count, seed) for seed, count in enumerate([8, 1, 5, 8, 3, 8, 2, 8] * 2)]
    before = [openvino.run(each)[SCORES] for each in lists]
    with ThreadPoolExecutor(2 * THREADS) as pool:
        after = [found[SCORES] for found in pool.map(openvino.run, lists)]
    for one, other in zip(before, after, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_a_tile_scores_the_same_alone_and_in_any_batch(engine: BuiltinEngine) -> None:
    rng = np.random.default_rng(0)
    tiles = [Tile(rng.integers(0, 256, (150, 150 + at, 3), dtype=np.uint8)) for at in range(9)]
    together = [each.margin for each in engine.score(tiles)]
    alone = [engine.score([tile])[0].margin for tile in tiles]
    assert np.allclose(together, alone, atol=1e-4)


def test_the_engine_is_calibrated_for_what_runs_it(engine: BuiltinEngine) -> None:
    assert engine.info.quantization == "int8-openvino"
    file = calibration_of(INT8_FOLDER, Runtime.OPENVINO) / CALIBRATION_FILE
    assert load_calibration(file, engine.info).slope > 0
    assert load_reference(reference_beside(file), engine.info) is not None


@pytest.mark.parametrize(
    ("quantization", "there", "expected"),
    [
        ("8bit", True, Runtime.OPENVINO),
        ("8bit", False, Runtime.ONNX),
        ("auto", True, Runtime.ONNX),
    ],
)
def test_integers_go_to_openvino_where_it_is_installed(
    quantization: str, there: bool, expected: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "multiplies_bytes", lambda: True)
    if not there:
        monkeypatch.setitem(sys.modules, "openvino", None)
    chosen = settings(quantization)
    folder = MODEL_FOLDER if quantization == "auto" else INT8_FOLDER
    assert runtime_of(folder) is expected
    engine = open_engine(chosen, COLORECTAL_CANCER)
    assert np.isfinite(engine.score([known_tile()])[0].margin)
    engine.close()
    load_calibration(SPEC.calibration_folder(chosen) / CALIBRATION_FILE, engine.info)


@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_doctor_says_what_runs_the_network_and_what_would_be_quicker(
    vnni: bool, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "multiplies_bytes", lambda: vnni)
    if not there:
        monkeypatch.setitem(sys.modules, "openvino", None)
    well, words = check_runtime(settings())
    assert well is (vnni and there)
    if not vnni:
        assert "in float32" in words
        assert "no VNNI" in words
    elif there:
        assert words.endswith(f"in 8-bit integers, by OpenVINO {version('openvino')}")
    else:
        assert f"by ONNX Runtime {version('onnxruntime')}; OpenVINO is quicker" in words
    well, words = check_runtime(settings("auto"))
    assert well
    assert ("HEALER_QUANTIZATION=8bit" in words) is vnni


def test_a_network_that_openvino_computes_wrongly_is_refused() -> None:
    """The one in float32 still has the operation that OpenVINO 2026.4 misreads."""
    floats = read_model_files(MODEL_FOLDER)
    with pytest.raises(ModelUnsound, match=r"OpenVINO .* is \d\.\d\d away from ONNX Runtime"):
        OpenVinoSession(floats.network, floats.quantization, 1)


def test_numbers_that_are_none_are_refused(
    engine: BuiltinEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    infer = openvino_session.infer

    def nothing(*given: object) -> Outputs:
        found = infer(*given)  # type: ignore[arg-type]
        return found | {SCORES: np.full_like(found[SCORES], np.nan)}

    monkeypatch.setattr(openvino_session, "infer", nothing)
    with pytest.raises(ModelUnsound, match="finite"):
        engine.score([known_tile()])
