"""What every engine does, whichever model it runs.

    score(tiles)               log-odds of yes against no, for each tile
    explain(evidence, answer)  one line for an answer already given

An engine never decides; `healer.screening` turns its evidence into a verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from healer.questions.base import Answer as Answer
from healer.questions.base import Question as Question

if TYPE_CHECKING:
    from healer.errors.base import HealerError
    from healer.images.tile import Tile


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the engine saw, with its probability in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """How far a tile lies from the tiles that a model learnt from, in distances that are usual of
    such tiles; above `threshold` it is unlike them."""

    measured: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What scoring a tile gave.

    `margin` is the natural log-odds of yes against no, uncalibrated; `mass` the probability in
    [0, 1] that the engine put on answering yes or no at all (1 for a classifier). Where an engine
    does not know everything, `bounds` are the least and the greatest that the margin can be.
    `stages` are seconds by stage of scoring; of a batch, this tile's share. `state` is the engine's
    own (features, a KV cache), so that explaining need not score the image again. `unlikeness` is
    None where the engine does not measure it.
    """

    margin: float
    mass: float = 1.0
    findings: tuple[Finding, ...] = ()
    bounds: tuple[float, float] | None = None
    unlikeness: Unlikeness | None = None
    stages: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)
    state: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Everything that could change an answer; a calibration is bound to it."""

    engine: str
    model_id: str
    revision: str
    device: str
    dtype: str
    quantization: str
    prompt_id: str
    preprocessing_id: str
    adapter: str | None = None
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Engine(Protocol):
    @property
    def info(self) -> EngineInfo: ...

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        """One evidence per tile, in order. Blocking: call it off the event loop."""
        ...

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        """Pieces of one line, a sentence or two, that agrees with `answer`; closing the iterator
        stops the work."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FieldScale:
    """Micrometres: `widest` is the longer side of the widest field that a model was trained for,
    `window` the side of one that shows tissue at the scale of most of its training."""

    widest: float
    window: float


@runtime_checkable
class WindowByWindow(Protocol):
    """An engine quick enough to read a wide field window by window, a hundred at a time."""

    @property
    def scale(self) -> FieldScale: ...


@runtime_checkable
class FromClasses(Protocol):
    """An engine whose margin follows from the class probabilities that are its findings."""

    @property
    def margin_rule(self) -> str:
        """How it follows, for readers: the beginning of a sentence, without its full stop."""
        ...


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine whose model is elsewhere, and may go away and come back. For any thread."""

    def trouble(self) -> HealerError | None:
        """Why it could not answer just now, UpstreamChanged where the model is another one; None
        where it could. Blocking, for seconds at most."""
        ...


OnPictures = Callable[[int], None]  # takes how many pictures have been read


def ignore_pictures(_count: int) -> None:
    pass


@runtime_checkable
class MultiImageEngine(Protocol):
    """An engine whose model reads a text and then several pictures, all in one prompt."""

    def write(
        self,
        prompt: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,
    ) -> Iterator[str]:
        """Pieces of at most `most_tokens` tokens of text, greedily chosen, thoughts left out.
        Raises TooManyPictures where not all of `pictures` fit. Blocking, for minutes: where the
        engine knows how many it has read, `on_pictures` is called as that grows."""
        ...


OnStageEnd = Callable[[str], None]  # takes each stage's name when it ends


class StageTimer(dict[str, float]):
    """Seconds by stage, for each of the tiles that are scored together."""

    def __init__(self, tiles: Sequence[object]) -> None:
        super().__init__()
        self._tiles = max(1, len(tiles))
        self._since = time.perf_counter()

    def end_stage(self, stage: str) -> None:
        """It began where the one before it ended."""
        now = time.perf_counter()
        self[stage] = (now - self._since) / self._tiles
        self._since = now


def ignore_stage(_stage: str) -> None:
    pass
