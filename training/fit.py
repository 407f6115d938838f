"""One network, trained on a fixed schedule. No epoch is picked: its averaged weights are kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from healer.engines.builtin.engine import network_input
from training import augment, tissue, views
from training.data import OTHER, OUTPUTS, Tiles, sampling_weights
from training.network import NECK, STRIDE, Network, laid_out, pretrained


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights besides the data and the seed."""

    epochs: int = 8
    # A cycle each; the share of views that show drawn tissue in it.
    drawn: tuple[float, ...] = (0.18, 0.24, 0.2)
    # The smallest side of a window in that cycle, as a share of the tile.
    closest: tuple[float, ...] = (0.28, 0.28, 0.16)
    batch: int = 48
    rate: float = 1.5e-3
    decay: float = 0.05
    average: float = 0.99
    smoothing: float = 0.05
    spot_weight: float = 0.5
    faded: float = 0.02
    neck: int = NECK

    @property
    def cycles(self) -> int:
        return len(self.drawn)


def tile_targets(labels: Tensor, masks: Tensor, smoothing: float) -> Tensor:
    """The tile's class as far as its lesion is in view, other tissue for the rest: (n, 7)."""
    lesion = ((masks.mean((1, 2)) - 0.03) / 0.12).clamp(0, 1)[:, None]
    target = mixed(labels, lesion)
    return target * (1 - smoothing) + smoothing / OUTPUTS


def spot_targets(labels: Tensor, masks: Tensor) -> Tensor:
    """The same for each spot: (n, 7, h / STRIDE, w / STRIDE)."""
    lesion = functional.avg_pool2d(masks[:, None], STRIDE)
    return mixed(labels[:, None, None], lesion[:, 0][..., None]).permute(0, 3, 1, 2)


def mixed(labels: Tensor, lesion: Tensor) -> Tensor:
    there = functional.one_hot(labels, OUTPUTS) * lesion
    other = functional.one_hot(torch.tensor(OTHER), OUTPUTS) * (1 - lesion)
    return there + other


def batches(
    tiles: Tiles, recipe: Recipe, seed: int, cycle: int = 0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless (pixels as bytes, labels, masks), drawn by weight, seen and changed at random."""
    rng = np.random.default_rng(seed)
    source = torch.Generator().manual_seed(seed)
    weights = sampling_weights(tiles)
    drawn = tissue.pool(rng, recipe.drawn[cycle])
    while True:
        rows = rng.choice(len(tiles), recipe.batch, p=weights)
        pixels, masks = views.draw(tiles, rows, rng, drawn, recipe.closest[cycle])
        pixels, emptied = augment.fade(augment.augment(pixels, source), source, recipe.faded)
        masks[emptied] = 0
        yield (pixels * 255).round().byte(), torch.from_numpy(tiles.labels[rows]), masks


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor], recipe: Recipe) -> Tensor:
    pixels, labels, masks = batch
    tile, spots = model(pixels.contiguous(memory_format=torch.channels_last))
    whole = functional.cross_entropy(tile, tile_targets(labels, masks, recipe.smoothing))
    return whole + recipe.spot_weight * functional.cross_entropy(spots, spot_targets(labels, masks))


def fit(
    tiles: Tiles,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    title: str,
    start: Network | None = None,
    cycle: int = 0,
) -> Network:
    """One cycle on every tile given, from the pretrained backbone or an earlier cycle's average.

    The same inputs give the same network.
    """
    torch.manual_seed(seed)
    model = laid_out(start or pretrained(recipe.neck), torch.channels_last)
    averaged = averaging(model, recipe.average)
    steps = recipe.epochs * math.ceil(len(tiles) / recipe.batch)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=max(steps, 4), pct_start=0.15
    )
    bar = progress.add_task(title, total=steps)
    stream = batches(tiles, recipe, seed, cycle)
    for _ in range(steps):
        loss = loss_of(model.train(), next(stream), recipe)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(model)
        progress.update(bar, advance=1, description=f"{title} loss {loss.item():.2f}")
    return cast(Network, averaged.module).eval()


def averaging(model: nn.Module, decay: float) -> AveragedModel:
    """Exponentially averaged weights and batch statistics."""
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


def predict(model: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Tile log-probabilities (n, 7) of tiles (n, h, w, 3), prepared as they are when served."""
    out = []
    for start in range(0, len(pixels), 64):
        batch = np.stack([network_input(tile) for tile in pixels[start : start + 64]])
        with torch.inference_mode():
            logits = model(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last))[0]
        out.append(torch.log_softmax(logits, 1).numpy())
    return np.concatenate(out)
