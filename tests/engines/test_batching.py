from __future__ import annotations

import pytest

from healer.engines import registry
from healer.engines.base import EngineInfo
from healer.engines.registry import batching_for, threads_of
from healer.engines.spec import Batching
from healer.main import shared
from healer.settings.loading import Settings

BUILTIN = EngineInfo(
    engine="builtin",
    model_id="healer/builtin-crc",
    revision="0" * 12,
    device="cpu",
    dtype="float32",
    quantization="none",
    prompt_id="none",
    preprocessing_id="none",
)


@pytest.mark.parametrize(
    ("cores", "settings", "threads", "workers"),
    [
        (2, Settings(), 2, 3),
        (8, Settings(), 8, 9),
        (8, Settings(threads=1), 1, 2),
        (2, Settings(threads=6), 6, 7),
        (8, Settings(replicas=4), 2, 3),
        (2, Settings(replicas=4), 1, 2),
        (8, Settings(replicas=2, threads=3), 3, 4),
    ],
)
def test_the_builtins_workers_follow_from_its_threads(
    cores: int, settings: Settings, threads: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "cores", lambda: cores)
    assert batching_for(BUILTIN, settings) == Batching(tiles=2, workers=workers)
    assert threads_of(settings) == threads_of(shared(settings)) == threads


def test_settings_override_the_engines_batching() -> None:
    chosen = batching_for(BUILTIN, Settings(batch=5, batch_wait_ms=20, threads=1))
    assert chosen == Batching(tiles=5, seconds=0.02, workers=2)
