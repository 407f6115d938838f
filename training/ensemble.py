"""The network that ships: version 3's backbones and version 4's crowns, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.crown import Crown, capped
from training.trunk import Trunk


class Member(nn.Module):
    """One network whole: pooled features (n, 240), then log-probabilities (n, 11)."""

    def __init__(self, trunk: Trunk, crown: Crown) -> None:
        super().__init__()
        self.trunk, self.crown = trunk, crown

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        deep, middle, shallow = self.trunk(pixels)
        features = torch.cat([middle, shallow], 1)
        tile, _, epithelium = self.crown(deep, shallow)
        return features, capped(tile, epithelium)


class Ensemble(nn.Module):
    """Log-probabilities, averaged (n, 11), and every member's features (n, members, 240)."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features, scores = zip(*(member(pixels) for member in self.members), strict=True)
        averaged = torch.log_softmax(torch.stack(scores).mean(0), 1)
        return averaged, torch.stack(features, 1)
