"""The network: a small residual net that classifies each spot, then the tile by its spots."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.data import OTHER, OUTPUTS

WIDTHS = (20, 36, 88, 128)
STRIDE = 16


def normalised(pixels: Tensor) -> Tensor:
    """Optical density, centred and scaled per picture and channel.

    A white-balance gain is a shift of optical density, and stain strength a factor: both go.
    The floor keeps an empty field faint instead of blowing up its noise.
    """
    density = -torch.log((pixels.float() + 8.0) / 263.0)
    centred = density - density.mean(dim=(2, 3), keepdim=True)
    variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
    return centred / torch.sqrt(variance + 0.05**2)


class MixedNorm(nn.Module):
    """Half the channels normalised per picture, half per batch: style goes, content stays.

    After IBN-Net (Pan et al. 2018). Written out, because InstanceNorm2d is slow on a CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.styled = channels // 2
        self.scale = nn.Parameter(torch.ones(1, self.styled, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, self.styled, 1, 1))
        self.per_batch = nn.BatchNorm2d(channels - self.styled)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x[:, : self.styled], x[:, self.styled :]
        first = first - first.mean((2, 3), keepdim=True)
        first = first / torch.sqrt((first * first).mean((2, 3), keepdim=True) + 1e-5)
        return torch.cat([first * self.scale + self.shift, self.per_batch(second)], 1)


def conv(inner: int, outer: int, stride: int = 1, mixed: bool = False) -> nn.Sequential:
    norm = MixedNorm(outer) if mixed else nn.BatchNorm2d(outer)
    return nn.Sequential(nn.Conv2d(inner, outer, 3, stride, 1, bias=False), norm)


class Residual(nn.Module):
    def __init__(self, width: int, mixed: bool = False) -> None:
        super().__init__()
        self.first = conv(width, width, mixed=mixed)
        self.second = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class Network(nn.Module):
    """uint8 (n, 3, side, side) → tile logits (n, 7) and spot logits (n, 7, side/16, side/16)."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d = widths
        self.features = nn.Sequential(
            *(conv(3, a, 2, mixed=True), nn.ReLU()),
            *(conv(a, b, 2), nn.ReLU(), Residual(b, mixed=True)),
            *(conv(b, c, 2), nn.ReLU(), Residual(c)),
            *(conv(c, d, 2), nn.ReLU(), Residual(d), Residual(d)),
        )
        self.spots = nn.Conv2d(d, OUTPUTS, 1)
        self.dropout = nn.Dropout(0.2)
        self.tile = nn.Linear(2 * d, OUTPUTS)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(normalised(pixels))
        spots = self.spots(features)
        # Epithelium speaks for the tile however much stroma surrounds it.
        lesion = 1 - torch.softmax(spots, 1)[:, OTHER : OTHER + 1]
        gated = (features * lesion).sum((2, 3)) / (lesion.sum((2, 3)) + 0.5)
        pooled = torch.cat([features.mean((2, 3)), gated], 1)
        return self.tile(self.dropout(pooled)), spots


def laid_out(model: Network, layout: torch.memory_format) -> Network:
    """The same network with its kernels in another order; channels last is fastest to train."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return model


class Ensemble(nn.Module):
    """Several networks' tile log-probabilities, averaged: (n, 3, side, side) → (n, 7)."""

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pixels: Tensor) -> Tensor:
        each = [torch.log_softmax(member(pixels)[0], 1) for member in self.members]
        return torch.log_softmax(torch.stack(each).mean(0), 1)
