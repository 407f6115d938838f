"""Other laboratories, imitated: stain, camera, focus and compression, on batches in [0, 1]."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from healer.evaluation import shifts

STAINS = torch.tensor(shifts.STAINS, dtype=torch.float32)
# Luma and two colour axes at right angles to grey; hue turns in the plane of the two.
OPPONENT = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def uniform(shape: tuple[int, ...], low: float, high: float, source: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=source) * (high - low) + low


def restain(
    x: Tensor, source: torch.Generator, amount: float = 0.6, colour: float = 0.09
) -> Tensor:
    """Another staining batch: amounts of each dye, and the dyes' own colours, change."""
    n = len(x)
    factor = torch.exp(uniform((n, 3), -amount, amount, source))
    extra = uniform((n, 1, 3), -0.06, 0.06, source)
    dyes = (STAINS + colour * torch.randn(n, 3, 3, generator=source)).clamp(min=0)
    dyes = dyes / dyes.norm(dim=2, keepdim=True)
    change = torch.linalg.inv(STAINS) @ torch.diag_embed(factor) @ dyes
    density = -torch.log(x.clamp(1 / 255, 1)).flatten(2)
    density = torch.baddbmm((extra @ dyes).transpose(1, 2), change.transpose(1, 2), density)
    return torch.exp(-density).clamp(0, 1).view_as(x)


def rebalance(x: Tensor, source: torch.Generator) -> Tensor:
    """Another camera: gain per channel, then gamma."""
    gain = uniform((len(x), 3, 1, 1), 0.78, 1.15, source)
    gamma = torch.exp(uniform((len(x), 1, 1, 1), -0.4, 0.4, source))
    return (x * gain).clamp(1e-4, 1) ** gamma


def recolour(
    x: Tensor,
    source: torch.Generator,
    saturation: tuple[float, float] = (0.4, 1.5),
    hue: float = 0.35,
) -> Tensor:
    """Saturation, down to grey for one picture in ten, and hue."""
    n = len(x)
    amount = uniform((n,), *saturation, source) * (torch.rand(n, generator=source) > 0.1)
    angle = uniform((n,), -hue, hue, source)
    turn = torch.zeros(n, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = amount * torch.cos(angle)
    turn[:, 1, 2] = -amount * torch.sin(angle)
    turn[:, 2, 1] = amount * torch.sin(angle)
    mix = torch.linalg.inv(OPPONENT) @ turn @ OPPONENT
    return torch.einsum("nij,njhw->nihw", mix, x).clamp(0, 1)


def blur(x: Tensor, source: torch.Generator) -> Tensor:
    sigma = uniform((len(x), 1), 0.3, 1.6, source)
    taps = torch.exp(-(torch.arange(-4, 5)[None] ** 2) / (2 * sigma**2))
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(3, 0)
    flat = functional.pad(x, (4, 4, 4, 4), mode="reflect").flatten(0, 1)[None]
    rows = functional.conv2d(flat, taps[:, None, None], groups=len(taps))
    return functional.conv2d(rows, taps[:, None, :, None], groups=len(taps)).view_as(x)


def sharpen(x: Tensor, source: torch.Generator) -> Tensor:
    return (x + (x - blur(x, source)) * uniform((len(x), 1, 1, 1), 0.3, 1.5, source)).clamp(0, 1)


def coarsen(x: Tensor, source: torch.Generator) -> Tensor:
    """Scanned at a lower power, then enlarged; one factor for the whole group."""
    side = x.shape[-1]
    small = int(side / float(uniform((1,), 1.2, 2.8, source)))
    down = functional.interpolate(x, size=(small, small), mode="area")
    return functional.interpolate(down, size=(side, side), mode="bilinear", align_corners=False)


def grain(x: Tensor, source: torch.Generator, most: float = 0.05) -> Tensor:
    level = uniform((len(x), 1, 1, 1), 0.005, most, source)
    return (x + level * torch.randn(x.shape, generator=source)).clamp(0, 1)


def jpeg(x: Tensor, source: torch.Generator) -> Tensor:
    quality = torch.randint(20, 90, (len(x),), generator=source).tolist()
    pictures = (x * 255).round().byte().permute(0, 2, 3, 1).numpy()
    pairs = zip(pictures, quality, strict=True)
    done = np.stack([compressed(picture, level) for picture, level in pairs])
    return torch.from_numpy(done).permute(0, 3, 1, 2).float() / 255


def compressed(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """One picture (h, w, 3) through JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


Change = Callable[[Tensor, torch.Generator], Tensor]
STEPS: tuple[tuple[float, Change], ...] = (
    (0.9, restain),
    (0.7, rebalance),
    (0.5, recolour),
    (0.3, blur),
    (0.2, sharpen),
    (0.2, coarsen),
    (0.3, grain),
    (0.2, jpeg),
)


def augment(
    x: Tensor, source: torch.Generator, steps: Sequence[tuple[float, Change]] = STEPS
) -> Tensor:
    """Each change befalls its share of the pictures (n, 3, h, w), in a fixed order."""
    x = x.clone()
    for share, change in steps:
        chosen = torch.rand(len(x), generator=source) < share
        if chosen.any():
            x[chosen] = change(x[chosen], source)
    return x


def fade(x: Tensor, source: torch.Generator, share: float) -> tuple[Tensor, Tensor]:
    """Nearly empty glass in place of a share of the pictures; says which."""
    chosen = torch.rand(len(x), generator=source) < share
    strength = torch.where(chosen, uniform((len(x),), 0.0, 0.08, source), torch.ones(len(x)))
    return 1 - strength[:, None, None, None] * (1 - x), chosen
