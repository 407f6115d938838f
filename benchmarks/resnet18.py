"""A network of ResNet-18's shape in plain torch over a folder of tiles, an answer a line.

Random weights: its time is that of any ResNet-18, timm's and TIAToolbox's among them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from healer.files.walk import walk_all

BATCH, SIDE = 16, 224
WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolved(before, width, stride), nn.ReLU(), *convolved(width, width, 1)
        )
        same = before == width and stride == 1
        self.skip = nn.Identity() if same else nn.Sequential(*convolved(before, width, stride, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.skip(x))


def convolved(before: int, width: int, stride: int, kernel: int = 3) -> list[nn.Module]:
    convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width)]


def resnet18(classes: int = 9) -> nn.Module:
    layers = [*convolved(3, 64, 2, 7), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for width in WIDTHS:
        layers += [Block(before, width, 1 if width == before else 2), Block(width, width, 1)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def batches(files: list[Path]) -> Iterator[torch.Tensor]:
    for start in range(0, len(files), BATCH):
        pixels = np.stack([read(file) for file in files[start : start + BATCH]])
        yield torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def read(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def main(folder: Path) -> None:
    model = resnet18().eval()
    with torch.inference_mode():
        for batch in batches(walk_all([folder]).files):
            for best in model(batch).argmax(dim=1).tolist():
                sys.stdout.write(json.dumps({"class": best}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
