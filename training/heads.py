"""Above the backbone: the neck and heads that version 4 trains; and the networks whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.backbone import CHANNELS, LAST_CHANNELS, SHALLOW_CHANNELS, Backbone
from training.kather import EPITHELIAL, OUTPUTS
from training.network import Network

WIDTH = 256


class Heads(nn.Module):
    """The backbone's maps → tile logits (n, 11), spot logits (n, 11, 10, 10) and a logit of whether
    there is epithelium (n)."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.neck = nn.Sequential(nn.Conv2d(CHANNELS, width, 1), nn.ReLU6())
        self.spots = nn.Conv2d(width, OUTPUTS, 1)
        self.dropout = nn.Dropout(0.2)
        pooled = 2 * width + 2 * SHALLOW_CHANNELS
        self.tile = nn.Linear(pooled, OUTPUTS)
        self.epithelium = nn.Linear(pooled, 1)

    @classmethod
    def of(cls, network: Network, width: int = WIDTH) -> Heads:
        """Begins as version 3's neck and heads, beside channels of the neck that no head reads yet;
        every tissue class begins as what version 3 called other tissue."""
        heads = cls(width)
        with torch.no_grad():
            known = _begin_neck(heads.neck[0], network)
            rows = [min(output, EPITHELIAL) for output in range(OUTPUTS)]
            for layer in (heads.spots, heads.tile, heads.epithelium):
                for parameter in layer.parameters():
                    parameter.zero_()
            weight, pooled = heads.tile.weight, network.tile.weight[rows]
            heads.spots.weight[:, :known] = network.spots.weight[rows]
            weight[:, :known], weight[:, width : width + known] = pooled.chunk(2, 1)
            for layer, theirs in ((heads.spots, network.spots), (heads.tile, network.tile)):
                if layer.bias is not None and theirs.bias is not None:
                    layer.bias.copy_(theirs.bias[rows])
        return heads

    def forward(self, deep: Tensor, shallow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.neck(deep)
        spots = self.spots(features)
        # Epithelium speaks for the tile however much stroma surrounds it.
        lesion = torch.softmax(spots, 1)[:, :EPITHELIAL].sum(1, keepdim=True)
        gated = (features * lesion).sum((2, 3)) / (lesion.sum((2, 3)) + 0.5)
        pooled = self.dropout(torch.cat([features.mean((2, 3)), gated, shallow], 1))
        return self.tile(pooled), spots, self.epithelium(pooled)[:, 0]


def _begin_neck(neck: nn.Module, network: Network) -> int:
    """Version 3's channels first, with its norm folded in, and how many they are."""
    old, norm = network.neck[0], network.neck[1]
    if not (isinstance(neck, nn.Conv2d) and isinstance(old, nn.Conv2d) and neck.bias is not None):
        raise TypeError("a neck begins with a convolution")
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
        raise TypeError("version 3's neck has a norm")
    known, last = old.weight.shape[:2]
    scale = norm.weight / torch.sqrt(torch.as_tensor(norm.running_var) + norm.eps)
    nn.init.kaiming_normal_(neck.weight, nonlinearity="relu")
    neck.weight.mul_(0.5)
    neck.weight[:known] = 0
    neck.weight[:known, :last] = old.weight * scale[:, None, None, None]
    neck.bias.zero_()
    neck.bias[:known] = norm.bias - norm.running_mean * scale
    return known


class TunedHeads(nn.Module):
    """Heads above the last blocks of the backbone, which are trained too; their norms, folded,
    stay as they are."""

    def __init__(self, heads: Heads, network: Network) -> None:
        super().__init__()
        self.heads, self.last = heads, Backbone(network).deep

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.last.eval()
        return self

    def forward(self, deep: Tensor, shallow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        middle = deep[:, LAST_CHANNELS:]
        found: tuple[Tensor, Tensor, Tensor] = self.heads(
            torch.cat([self.last(middle), middle], 1), shallow
        )
        return found


def capped(tile: Tensor, epithelium: Tensor) -> Tensor:
    """Log-probabilities (n, 11) whose classes of epithelium add up to no more than the veto says.

    The tissue classes share the remainder in proportion.
    """
    scores = torch.log_softmax(tile, 1)
    present = scores[:, :EPITHELIAL].logsumexp(1, keepdim=True)
    tissue = scores[:, EPITHELIAL:].logsumexp(1, keepdim=True)
    most = functional.logsigmoid(epithelium)[:, None]
    rest = functional.logsigmoid(-epithelium)[:, None]
    vetoed = most < present
    return torch.cat(
        [
            scores[:, :EPITHELIAL] + torch.where(vetoed, most - present, 0.0),
            scores[:, EPITHELIAL:] + torch.where(vetoed, rest - tissue, 0.0),
        ],
        1,
    )


def averaged(scores: Sequence[Tensor]) -> Tensor:
    """Log-probabilities (n, 11) averaged, and scaled to add up to 1 again."""
    return torch.log_softmax(torch.stack(list(scores)).mean(0), 1)


class Member(nn.Module):
    """One network whole: pooled features (n, 240), then log-probabilities (n, 11), averaged over
    heads that began from different seeds."""

    def __init__(self, backbone: Backbone, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.backbone, self.heads = backbone, nn.ModuleList(heads)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        deep, middle, shallow = self.backbone(pixels)
        features = torch.cat([middle, shallow], 1)
        found = [heads(deep, shallow) for heads in self.heads]
        return features, averaged([capped(tile, epithelium) for tile, _, epithelium in found])


class Ensemble(nn.Module):
    """Log-probabilities, averaged (n, 11), and every member's features (n, members, 240)."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features, scores = zip(*(member(pixels) for member in self.members), strict=True)
        return averaged(scores), torch.stack(features, 1)
