"""Boosted trees over a view's figures: how much it looks like H&E, from 0 to 1.

Fitted by `python -m training.gate fit`, which writes two heads to `gate.npz`: `histology` reads
every figure, `stain` those of colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class HistologyHead:
    """Every tree's nodes in one row of arrays; a leaf's two children are the leaf itself.

    `names` are the figures read, in order; `roots` where each tree starts; `depth` how many
    steps lead to the deepest leaf; `value` adds to the log-odds of histology.
    """

    names: tuple[str, ...]
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    depth: int

    @classmethod
    def load(cls, name: str) -> Self:
        """One of the heads that ship with Healer."""
        with resources.files(__package__).joinpath("gate.npz").open("rb") as file:
            return cls.read(file, name)

    @classmethod
    def read(cls, file: IO[bytes], name: str) -> Self:
        stored = np.load(file, allow_pickle=False)
        arrays: dict[str, Any] = {key: stored[f"{name}_{key}"] for key in cls.__slots__}
        arrays["names"] = tuple(str(figure) for figure in arrays["names"])
        return cls(**arrays | {"depth": int(arrays["depth"])})

    def probability(self, figures: Mapping[str, float]) -> float:
        """From 0 to 1: how much a view with these figures looks like H&E."""
        row = np.array([figures[name] for name in self.names], np.float32)
        at = self.roots
        for _ in range(self.depth):
            at = np.where(
                row[self.feature[at]] <= self.threshold[at], self.left[at], self.right[at]
            )
        return float(1 / (1 + np.exp(-self.value[at].sum(dtype=np.float64))))
