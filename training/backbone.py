"""The backbones of the four networks, rebuilt from the file of version 3 and left as they are.

Version 4 keeps version 3's backbones as they shipped and trains what lies above them.
Half-precision weights and folded batch norms are what the file holds, so these are exactly the
backbones whose out-of-fold figures version 3 published.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from training.network import BLOCKS, Network, normalised

STEM = 3  # modules of the backbone before its first block: convolution, norm, activation
SHALLOW = 5  # blocks up to the map of 40 channels that is pooled too
MIDDLE = 8  # blocks up to that of 80
SHALLOW_CHANNELS = BLOCKS[SHALLOW - 1][1]
LAST_CHANNELS = BLOCKS[-1][1]
CHANNELS = LAST_CHANNELS + BLOCKS[MIDDLE - 1][1]  # of both maps that the heads read
# Where version 3 lies in this repository's history.
COMMIT, PATH = "2c63aba", "src/healer/engines/builtin/model.onnx"


def file_of(runs: Path) -> Path:
    return runs / "version-3.onnx"


def restore(runs: Path) -> Path:
    """Version 3's network, out of the repository's history where it is not there yet."""
    file = file_of(runs)
    if not file.exists():
        runs.mkdir(parents=True, exist_ok=True)
        place = Path(__file__).parents[1]
        shown = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "show", f"{COMMIT}:{PATH}"],  # noqa: S607
            cwd=place,
            check=True,
            capture_output=True,
        )
        file.write_bytes(shown.stdout)
    return file


def version_3(file: Path) -> list[Network]:
    """The four networks of version 3, batch norms folded into their convolutions."""
    graph = onnx.load(file).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    halves = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    weights = [
        [stored[name if name in stored else halves[name]] for name in node.input[1:3]]
        for node in graph.node
        if node.op_type in {"Conv", "Gemm"}
    ]
    ends = [at + 1 for at, (weight, _) in enumerate(weights) if weight.ndim == 2]
    starts = [0, *ends[:-1]]
    return [_network(weights[start:end]) for start, end in zip(starts, ends, strict=True)]


def _network(weights: Sequence[Sequence[NDArray[np.floating]]]) -> Network:
    network = Network().eval()
    modules = list(network.modules())
    layers = [module for module in modules if isinstance(module, nn.Conv2d | nn.Linear)]
    norms = iter(module for module in modules if isinstance(module, nn.BatchNorm2d))
    for layer, (weight, bias) in zip(layers, weights, strict=True):
        layer.weight.data = torch.from_numpy(weight.astype(np.float32))
        if layer.bias is None:
            _fold(next(norms), bias)
        else:
            layer.bias.data = torch.from_numpy(bias.astype(np.float32))
    return network


def _fold(norm: nn.BatchNorm2d, bias: NDArray[np.floating]) -> None:
    """A norm that only adds what was folded into the bias."""
    nn.init.ones_(norm.weight)
    norm.bias.data = torch.from_numpy(bias.astype(np.float32))
    norm.running_mean = torch.zeros_like(norm.bias)
    norm.running_var = torch.full_like(norm.bias, 1 - norm.eps)


class Backbone(nn.Module):
    """uint8 (n, 3, side, side) → the last two maps (n, 112 + 80, side/16, side/16), and mean and
    deviation of the second last (n, 160) and of a shallower one (n, 80)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        blocks = list(network.backbone)
        self.shallow = nn.Sequential(*blocks[: STEM + SHALLOW])
        self.middle = nn.Sequential(*blocks[STEM + SHALLOW : STEM + MIDDLE])
        self.deep = nn.Sequential(*blocks[STEM + MIDDLE :])

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shallow = self.shallow(-normalised(pixels))
        middle = self.middle(shallow)
        return torch.cat([self.deep(middle), middle], 1), moments(middle), moments(shallow)


def moments(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel over a map."""
    mean = features.mean((2, 3))
    spread = ((features - mean[:, :, None, None]) ** 2).mean((2, 3)).sqrt()
    return torch.cat([mean, spread], 1)
