"""A checkpoint whose matrices lie on eight-bit levels already, so that only mistakes differ."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.gemma import Weights, edit_weights

STEP = 2.0**-11


def made_exact(folder: Path) -> Path:
    edit_weights(folder, on_levels)
    return folder


def on_levels(weights: Weights) -> None:
    """Each row takes all of -128 … 127 steps, so that the levels found are the ones put in."""
    for name, weight in weights.items():
        if weight.ndim != 2 or "position_embedding" in name:
            continue
        turned = name.endswith("mm_input_projection_weight")
        rows = weight.float().T if turned else weight.float()
        highest = rows.abs().amax(dim=1, keepdim=True).clamp_min(STEP)  # padding's row is zeros
        levels = (rows / highest * 127).round()
        levels[:, 0], levels[:, 1] = -128, 127
        exact = levels * STEP
        weights[name] = (exact.T if turned else exact).to(torch.bfloat16).contiguous()
