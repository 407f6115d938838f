"""Keys and values as the runtime itself holds them: eight bits each.

With KV_CACHE_PRECISION u8 it rounds each row (one token, one head) to 256 steps between the row's
least and greatest, and gives it out as float32. So a row packed here takes a quarter of the room,
and comes out as it went in but for the last bits of a float.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 255


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
        return cls({n: Rows.of(each) for n, each in snapshot.states.items()}, snapshot.length)

    def unpacked(self) -> Snapshot:
        return Snapshot({name: rows.values() for name, rows in self.states.items()}, self.length)
