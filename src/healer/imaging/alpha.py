"""Pictures that one can see through, laid on white: what a slide's background is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WHITE = 255


def on_white(
    colour: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool
) -> NDArray[np.uint8]:
    """`colour` is (height, width, channels), `alpha` (height, width)."""
    opacity = alpha.astype(np.uint16)[..., None]
    shown = colour.astype(np.uint16)
    if premultiplied:
        laid = shown + (WHITE - opacity)
    else:
        laid = (shown * opacity + WHITE * (WHITE - opacity) + WHITE // 2) // WHITE
    return laid.clip(0, WHITE).astype(np.uint8)
