from __future__ import annotations

import pytest

from healer.engines.base import Engine, StageTimer
from healer.engines.builtin.engine import BuiltinEngine
from healer.screening.screener import known_tile


def test_a_batchs_time_is_shared_among_its_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 5.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stages = StageTimer(["one", "other"])
    stages.end_stage("preprocess")
    stages.end_stage("infer")
    assert stages == {"preprocess": 2.0, "infer": 0.5}


def test_the_builtin_model_reports_its_own() -> None:
    engine: Engine = BuiltinEngine(threads=1)
    (evidence,) = engine.score([known_tile()])
    engine.close()
    assert list(evidence.stages) == ["preprocess", "infer"]
    assert all(seconds > 0 for seconds in evidence.stages.values())
