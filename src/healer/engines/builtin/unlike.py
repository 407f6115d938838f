"""How unlike the tiles the network learnt from a tile is, by the network's own features.

Each member of the network has a mean and a whitening of the features of its training tiles, so that
a distance is a Mahalanobis distance (Lee et al. 2018) over the square root of the dimensions. It is
divided by what is usual of tiles that the member never saw, and averaged over the members.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from healer.engines.base import Unlikeness
from healer.errors.engine import ModelAltered

UNLIKE = "unlike.npz"
FEATURES = "features"  # the network's output, (tiles, members, dimensions)

Reals = NDArray[np.float32]


@dataclass(frozen=True)
class Gaussians:
    """One a member: `centre` (members, d), `whitening` (members, d, d), `usual` (members,).

    Tiles further than `threshold` times the usual distance are unlike the training tiles.
    """

    centre: Reals
    whitening: Reals
    usual: Reals
    threshold: float

    def distances(self, features: Reals) -> NDArray[np.float64]:
        """Of each tile (n, members, d), in usual distances."""
        centred = (features - self.centre).transpose(1, 0, 2)
        whitened = centred @ self.whitening
        distances = np.sqrt((whitened**2).mean(2)) / self.usual[:, None]
        return np.asarray(distances.mean(0), np.float64)

    def unlikeness(self, features: Reals) -> Unlikeness:
        """Of a tile that was scored in several squares: the mean of theirs."""
        return Unlikeness(float(self.distances(features).mean()), self.threshold)

    def to_bytes(self, network_sha256: str) -> bytes:
        stream = io.BytesIO()
        np.savez(
            stream,
            centre=self.centre,
            whitening=self.whitening.astype(np.float16),
            usual=self.usual,
            threshold=np.float64(self.threshold),
            network=np.array(network_sha256),
        )
        return stream.getvalue()

    @classmethod
    def read(cls, folder: Path, network_sha256: str) -> Self | None:
        """None where the folder has none. Raises ModelAltered where it is another network's."""
        file = folder / UNLIKE
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["network"]) != network_sha256:
                raise ModelAltered(str(folder), UNLIKE, "it was fitted to another network")
            return cls(
                stored["centre"],
                stored["whitening"].astype(np.float32),
                stored["usual"],
                float(stored["threshold"]),
            )
