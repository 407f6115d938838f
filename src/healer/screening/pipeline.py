"""Loaded tiles to scores, for the service, folders and archives alike.

Decoding and the gate come before (`load_tile`); explanations (`Screener.explain`) and the answer's
one shape (`healer.answer`) after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from healer.errors.engine import ModelUnsound
from healer.images.tile import Tile
from healer.screening.screener import Score, Screener

Failure = BaseException


def score_each(
    screener: Screener,
    tiles: Sequence[Tile],
    caught: type[Failure] = Exception,
    step: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[Score | Failure]:
    """A score for each tile, in order, or why there is none.

    One tile must not cost its neighbours their answers: where a batch fails, each is scored alone.
    Every call of the model is within one `step`.
    """
    if not tiles:
        return []
    try:
        with step():
            return [*_score_all(screener, tiles)]
    except caught as error:
        if len(tiles) == 1:
            return [error]
    return [each for tile in tiles for each in score_each(screener, [tile], caught, step)]


def _score_all(screener: Screener, tiles: Sequence[Tile]) -> list[Score]:
    scores = screener.score(tiles)
    if len(scores) != len(tiles):
        reason = f"it gave {len(scores)} answers for {len(tiles)} tiles"
        raise ModelUnsound(screener.info.model_id, reason)
    return scores
