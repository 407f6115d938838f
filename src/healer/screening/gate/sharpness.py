"""Two figures of a picture's detail: is there any, and is it more than noise?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from healer.screening.gate.planes import Figures, octaves
from healer.screening.gate.statistics import VIEW


def detail(pixels: NDArray[np.uint8]) -> float:
    """Contrast in the two finest octaves for each unit of it in the two above.

    Divided so, it knows neither stain nor exposure. A picture without any detail gives 0.25,
    tissue in focus 0.4 to 1.2, white noise 4. At 224 pixels, a blur of 4 pixels (standard
    deviation) brings tissue to 0.32.
    """
    green = pixels[..., 1].astype(np.float32)[None]
    fine, next_, coarse, coarser, *_ = [float(band.std()) for band in octaves(green, 4)] + [0.0] * 4
    return float(np.hypot(fine, next_) / (np.hypot(coarse, coarser) + 0.01))


def native_detail(pixels: NDArray[np.uint8]) -> float:
    """The most `detail` found in the picture's own pixels: in its middle and four corners."""
    height, width = pixels.shape[:2]
    side = min(height, width, VIEW)
    down, right = height - side, width - side
    corners = [(down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right)]
    windows = {(y, x): pixels[y : y + side, x : x + side] for y, x in corners}
    return max(detail(window) for window in windows.values())


def noise(figures: Figures) -> float:
    """Grey levels by which the finest octave exceeds what tissue could put there.

    From one octave to the next finer, white noise doubles; tissue at most grows by half.
    """
    fine, coarser = (figures[f"energy_{octave}"] for octave in (0, 1))
    excess = max(fine**2 - 2 * coarser**2, 0)
    return float(np.sqrt(excess)) * figures["deviation"]
