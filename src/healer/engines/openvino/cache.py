"""Images seen before: their features, and the keys and values of the prompt up to their end.

Features are small and save most of a verdict's time, keys and values are large and save the rest:
where room is short, the keys and values of older images go first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from healer.engines.openvino.packing import Packed

Floats = NDArray[np.float32]
Kept = TypeVar("Kept")


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
        # Used together, so that neither grows old while the other is asked for.
        _latest(self._features, key)
        return _latest(self._prefixes, key)

    def keep(self, key: str, features: Floats, prefix: Packed) -> None:
        self._features[key] = features
        self._prefixes[key] = prefix
        while self.nbytes > self.budget:
            self._drop_one()

    def clear(self) -> None:
        self._features.clear()
        self._prefixes.clear()

    def _drop_one(self) -> None:
        """Older keys and values first, then older features, then the newest of both."""
        older = next((kept for kept in (self._prefixes, self._features) if len(kept) > 1), None)
        (older or self._prefixes or self._features).popitem(last=False)


def key_of(pixels: NDArray[np.uint8]) -> str:
    """The same for the same preprocessed pixels, whichever file they came from."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _latest(kept: OrderedDict[str, Kept], key: str) -> Kept | None:
    if key in kept:
        kept.move_to_end(key)
    return kept.get(key)
