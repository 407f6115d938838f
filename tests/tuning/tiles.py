"""Purple tiles are cancer, pink ones are not; every case holds both, as EBHI-Seg's cases may."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

PURPLE, PINK = (150, 90, 170), (230, 170, 200)


def write_tiles(folder: Path, cases: int = 12, of_each: int = 3) -> Path:
    """A dataset with an index; colours vary between tiles, and noise within."""
    rng = np.random.default_rng(0)
    rows = ["path,label,case_id"]
    for case in range(cases):
        for number in range(of_each):
            for label, colour in (("cancer", PURPLE), ("benign", PINK)):
                tint = np.array(colour) + rng.normal(0, 6, 3)
                pixels = rng.normal(tint, 12, (64, 64, 3)).clip(0, 255).astype(np.uint8)
                file = folder / label / f"{case}-{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
                rows.append(f"{label}/{file.name},{label},case-{case}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder
