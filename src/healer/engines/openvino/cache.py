"""Encoded images, cached as the runtime stores their keys and values: in 8 bits."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from healer.hardware import cores

STEPS = 255
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A language graph's state after `length` tokens: arrays by the names of its variables."""

    states: dict[str, NDArray[Any]]
    length: int

    @property
    def nbytes(self) -> int:
        return sum(state.nbytes for state in self.states.values())


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`codes` of each row's values; a value is its row's `least` plus code · `step`."""

    codes: NDArray[np.uint8]
    least: NDArray[np.float32]
    step: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.least.nbytes + self.step.nbytes

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> Rows:
        least = values.min(axis=-1, keepdims=True)
        step = (values.max(axis=-1, keepdims=True) - least) / np.float32(STEPS)
        # A row of one value has no steps; a row that is not finite stays so through its `least`.
        with np.errstate(invalid="ignore"):
            scaled = (values - least) / np.where(step == 0, np.float32(1), step)
            return cls(np.rint(scaled, out=scaled).astype(np.uint8), least, step)

    def values(self) -> NDArray[np.float32]:
        found = self.codes.astype(np.float32)
        with np.errstate(invalid="ignore"):
            found *= self.step
        found += self.least
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A Snapshot in a quarter of its room."""

    states: dict[str, Rows]
    length: int

    @property
    def nbytes(self) -> int:
        return sum(rows.nbytes for rows in self.states.values())

    @classmethod
    def of(cls, snapshot: Snapshot) -> Packed:
        return cls(_each(Rows.of, snapshot.states), snapshot.length)

    def unpacked(self) -> Snapshot:
        return Snapshot(_each(Rows.values, self.states), self.length)


def _each(work: Callable[[Given], Made], states: Mapping[str, Given]) -> dict[str, Made]:
    """Of every layer, on all cores: a verdict waits for it."""
    with ThreadPoolExecutor(cores()) as pool:
        return dict(zip(states, pool.map(work, states.values()), strict=True))


Floats = NDArray[np.float32]
Entry = TypeVar("Entry")


class ImageCache:
    """Holds at most `budget` bytes; 0 keeps nothing. Not for two threads at once."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._features: OrderedDict[str, Floats] = OrderedDict()
        self._prefixes: OrderedDict[str, Packed] = OrderedDict()

    @property
    def nbytes(self) -> int:
        features = sum(each.nbytes for each in self._features.values())
        return features + sum(each.nbytes for each in self._prefixes.values())

    def features(self, key: str) -> Floats | None:
        return _latest(self._features, key)

    def prefix(self, key: str) -> Packed | None:
        # Used together, so that neither grows old while the other is used.
        _latest(self._features, key)
        return _latest(self._prefixes, key)

    def keep(self, key: str, features: Floats, prefix: Packed) -> None:
        self._features[key] = features
        self._prefixes[key] = prefix
        while self.nbytes > self.budget:
            self._drop_one()

    def keep_features(self, key: str, features: Floats) -> None:
        """Of an image whose keys and values are of no use: they follow from others before it."""
        self._features[key] = features
        while self.nbytes > self.budget:
            self._drop_one()

    def clear(self) -> None:
        self._features.clear()
        self._prefixes.clear()

    def _drop_one(self) -> None:
        """Older keys and values first, then older features, then the newest of both."""
        older = next((cache for cache in (self._prefixes, self._features) if len(cache) > 1), None)
        (older or self._prefixes or self._features).popitem(last=False)


def key_of(pixels: NDArray[np.uint8]) -> str:
    """The same for the same preprocessed pixels, whichever file they came from."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _latest(cache: OrderedDict[str, Entry], key: str) -> Entry | None:
    if key in cache:
        cache.move_to_end(key)
    return cache.get(key)
