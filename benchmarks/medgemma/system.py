"""What is asked of each contender: answers, token by token, below the level of sentences.

A contender's module imports its libraries at its top and has `load(order)`, so that importing and
loading can be timed apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from healer.images.tile import Tile

# Called when a token is known; the first one is the verdict.
Tick = Callable[[], None]
SIDE = 768  # pixels, as tiles of a slide are often cut


class BenchmarkOrder(BaseModel):
    """One run: where the model lies, what is asked, how often and how long.

    `checkpoint` is the download's folder, `folder` what the contender reads. `tokens` are written
    after the verdict; `first_tile` numbers the tiles, so that each run sees the same ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: Path
    folder: Path
    question: str
    second_question: str
    tokens: int
    repeats: int
    threads: int = 0
    first_tile: int = 0


class System(Protocol):
    @property
    def versions(self) -> Mapping[str, str]: ...

    @property
    def prompt_tokens(self) -> int:
        """Of the last question, its image included."""
        ...

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        """The verdict, then `tokens` greedy ones whichever they are; `tick` after each."""
        ...


def tile(number: int, side: int = SIDE) -> Tile:
    """Noise around the pink of eosin; another one for each number, the same on every machine."""
    noise = np.random.default_rng([7, number]).normal((230, 170, 200), 20, (side, side, 3))
    return Tile(noise.clip(0, 255).astype(np.uint8))
