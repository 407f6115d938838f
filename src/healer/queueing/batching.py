"""How a model is best fed."""

from __future__ import annotations

from dataclasses import dataclass

from healer.config import Settings
from healer.engines.base import EngineInfo
from healer.processor import cores


@dataclass(frozen=True, slots=True)
class Batching:
    """At most `tiles` at once, waited for at most `seconds`; `lanes` threads ask one model."""

    tiles: int = 1
    seconds: float = 0.0
    lanes: int = 1


# On a CPU a tile fills every core by itself: its answer comes soonest alone.
ALONE = Batching()
# A tile is one thread's work for the built-in. While its cores look, one lane more makes the next
# two tiles ready (docs/load.md has the figures of others).
BUILTIN = Batching(tiles=2, lanes=cores() + 1)
# A GPU reads many images in hardly more time than one.
GPU = Batching(tiles=16, seconds=0.005)
# The server puts together what is asked side by side.
UPSTREAM = Batching(lanes=8)


def batching(info: EngineInfo, settings: Settings) -> Batching:
    """The engine's own, but for what the operator set."""
    best = natural(info)
    tiles, wait = settings.batch, settings.batch_wait_ms
    return Batching(
        tiles=best.tiles if tiles is None else tiles,
        seconds=best.seconds if wait is None else wait / 1000,
        lanes=best.lanes,
    )


def natural(info: EngineInfo) -> Batching:
    if info.engine == "builtin":
        return BUILTIN
    if info.engine == "openai":
        return UPSTREAM
    # 8-bit weights on a GPU are read tile by tile, so that no tile is moved by its neighbours.
    return GPU if info.device.startswith("cuda") and info.quantization == "none" else ALONE
