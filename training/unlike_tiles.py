"""The tiles that unlikeness is fitted to and measured on, and their features, kept under `runs/`.

Other organs are two slides: skin (OpenSlide's CMU-1, 0.499 µm/px) and a squamous-cell carcinoma of
the head and neck (TCGA-CR-7395, which states no scale).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from torch import Tensor

from healer.engines.builtin.engine import FEATURES, MODEL_FOLDER, NETWORK, network_input
from healer.engines.builtin.onnx_session import open_inference
from healer.evaluation.shifts import SHIFTS, TITLES
from healer.images.tile import Tile
from healer.quality.gate import Gate
from training import augment, data, kather, views
from training.data import Tiles
from training.kather import KatherTiles

Picture = NDArray[np.uint8]
Pictures = Sequence[Picture]
Features = NDArray[np.float32]  # (tiles, members, dimensions)

HOME, VIEWS, SIMULATED = "home", "views", "simulated"
KATHER, KATHER_VIEWS, KATHER_SIMULATED = "kather", "kather-views", "kather-simulated"
SAMPLES = "samples"
SHIFTED = {f"shift-{name}": title for name, title in TITLES.items() if name != "none"}
SLIDES = {"skin": "cmu-1-small-region.svs", "squamous": "tcga-cr-7395.svs"}
SIDES = {"skin": (150, 224, 448), "squamous": (224, 448, 896)}  # pixels
MOST_OF_A_SLIDE = 100
EVERY = 3  # of EBHI-Seg's tiles, under the shifts
KATHER_TIMES = 2  # views of each Kather tile
GLASS = 230  # mean grey from which a square is hardly tissue


@dataclass(frozen=True)
class Sources:
    home: Tiles
    kather: KatherTiles


def load() -> Sources:
    return Sources(data.load(data.default_folder()), kather.load(kather.default_folder()))


def shared(*parts: str) -> Path:
    return data.default_folder().parent.joinpath(*parts)


def pictures(sources: Sources) -> Iterator[tuple[str, Callable[[], Pictures]]]:
    """Every set, drawn only where it is called for; the same pictures every time."""
    home, other = sources.home.pixels, list(sources.kather.pixels)
    yield HOME, lambda: list(home)
    yield VIEWS, lambda: home_views(sources.home)[0]
    yield SIMULATED, lambda: home_views(sources.home)[1]
    for name in SHIFTED:
        change = SHIFTS[name.removeprefix("shift-")]
        yield name, lambda change=change: [change(tile) for tile in home[::EVERY]]  # type: ignore[misc]
    yield KATHER, lambda: other
    yield KATHER_VIEWS, lambda: kather_views(sources.kather, 4)
    yield KATHER_SIMULATED, lambda: altered(kather_views(sources.kather, 5), 6)
    yield SAMPLES, samples
    for slide, sides in SIDES.items():
        for side in sides:
            yield f"{slide}-{side}", lambda slide=slide, side=side: squares(slide, side)  # type: ignore[misc]


def home_views(tiles: Tiles) -> tuple[Pictures, Pictures]:
    """Views of each tile as training shows it: turned, cropped, set beside others; then others, as
    other laboratories might have made them."""
    rng, source = np.random.default_rng(5), torch.Generator().manual_seed(7)
    plain = list(_drawn(tiles, rng))
    simulated = [augment.augment(seen, source) for seen in _drawn(tiles, rng)]
    return _as_pictures(plain), _as_pictures(simulated)


def _drawn(tiles: Tiles, rng: np.random.Generator) -> Iterator[Tensor]:
    for start in range(0, len(tiles), 48):
        yield views.draw(tiles, np.arange(start, min(start + 48, len(tiles))), rng)[0]


def _as_pictures(batches: Sequence[Tensor]) -> Pictures:
    return list((torch.cat(list(batches)) * 255).round().byte().permute(0, 2, 3, 1).numpy())


def altered(tiles: Pictures, seed: int) -> Pictures:
    """Each as another laboratory might have made it."""
    source = torch.Generator().manual_seed(seed)
    return [_altered(tile, source) for tile in tiles]


def _altered(tile: Picture, source: torch.Generator) -> Picture:
    before = torch.from_numpy(np.ascontiguousarray(tile)).permute(2, 0, 1)[None].float() / 255
    after = augment.augment(before, source)[0].permute(1, 2, 0)
    return np.asarray((after * 255).round().byte().numpy())


def kather_views(tiles: KatherTiles, seed: int) -> Pictures:
    """KATHER_TIMES views of each tile, one after another: a crop, or four of its class and fold."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(tiles)), KATHER_TIMES)
    return [_kather_view(tiles, int(row), rng) for row in rows]


def _kather_view(tiles: KatherTiles, row: int, rng: np.random.Generator) -> Picture:
    if rng.random() < 0.5:
        side = int(kather.SIDE * rng.uniform(0.5, 1))
        y, x = rng.integers(0, kather.SIDE - side + 1, 2)
        return views.turned(tiles.pixels[row, y : y + side, x : x + side], rng)
    alike = (tiles.labels == tiles.labels[row]) & (tiles.folds == tiles.folds[row])
    four = [views.turned(tiles.pixels[at], rng) for at in rng.choice(np.flatnonzero(alike), 4)]
    return np.concatenate(
        [np.concatenate(four[:2], axis=1), np.concatenate(four[2:], axis=1)], axis=0
    )


def samples() -> Pictures:
    """Those of laboratories that training has not seen; the others are Kather 2016's."""
    with shared("samples", "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["origin"].startswith("Kather 2016")]
    return [_read(shared("samples", row["file"])) for row in rows]


def _read(file: Path) -> Picture:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def squares(slide: str, side: int) -> Pictures:
    """Squares of a slide that pass the gate, at most MOST_OF_A_SLIDE, half over each other."""
    whole = tifffile.imread(shared("slides", SLIDES[slide]), key=0)[..., :3]
    height, width = whole.shape[:2]
    gate = Gate()
    step = side // 2 if side > min(SIDES[slide]) else side
    found = [
        np.ascontiguousarray(whole[y : y + side, x : x + side])
        for y in range(0, height - side + 1, step)
        for x in range(0, width - side + 1, step)
    ]
    tissue = [each for each in found if each.mean() < GLASS]
    passed = [each for each in tissue if not gate.assess(Tile(each)).reasons]
    return passed[:: -(-len(passed) // MOST_OF_A_SLIDE)]


def features(sources: Sources, runs: Path, folder: Path = MODEL_FOLDER) -> dict[str, Features]:
    """Of every set, by name; what is not under `runs` yet is computed."""
    network = (folder / NETWORK).read_bytes()
    place = runs / "unlike" / hashlib.sha256(network).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    session = open_inference(network)
    found = {}
    for name, draw in pictures(sources):
        file = place / f"{name}.npy"
        if not file.exists():
            np.save(file, features_of(draw(), session, name))
        found[name] = np.load(file)
    return found


def features_of(
    tiles: Pictures, session: onnxruntime.InferenceSession, title: str = ""
) -> Features:
    """(n, members, d); what the network makes of them beyond that is not computed."""
    only = onnxruntime.RunOptions()
    only.only_execute_path_to_fetches = True
    parts = [
        session.run([FEATURES], {"pixels": network_input(tile)[None]}, only)[0]
        for tile in track(tiles, f"Features, {title}")
    ]
    return np.concatenate(parts).astype(np.float32)
