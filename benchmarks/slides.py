"""What reading whole slides costs: `python -m benchmarks.slides`.

Makes pyramids of the sides asked for (JPEG in tiles, 0.5 µm a pixel; half of each is tissue, or one
field in as many as --tissue-every says), reads and scores each as `healer slide` does, and scores
as many of its tiles from JPEG files as `healer predict` does, in the same process. Beside it, each
in an interpreter of its own that is named, what LazySlide and TIAToolbox take for the same slide:

    python -m benchmarks slides --lazyslide ../lazyslide/bin/python --tiatoolbox ../tia/bin/python
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.sampling import MemorySampler, processors
from healer.engines.builtin import SPEC
from healer.hardware import cores
from healer.outcomes import outcomes
from healer.screening.opening import EngineChoice, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.slides.grid import tile_areas
from healer.slides.opening import open_slide
from healer.slides.overview import tissue_mask
from healer.slides.reader import Area, SlideReader
from healer.slides.run import FIRST_MAP_TILES, plan_for
from healer.slides.scoring import CoverageLedger, TileScorer, on_white
from tests.slides.glass import GLASS, UM_PER_PX, tissue_of

TILE = 256
POOL = 32  # different tiles of tissue; a slide repeats them
FIELD = 16  # tiles a side of a field of tissue, or of glass
LEVELS = 5
LABELS = ("tumor", "stroma", "mucosa", "lympho")
SAMPLED = 512  # tiles that are scored as files too
SETTINGS = Settings(_env_file=None)
OTHERS = ("lazyslide", "tiatoolbox")


def write_slide(path: Path, side: int, tissue_every: int = 2) -> None:
    """Encoded tiles are written again and again: seconds, and little memory, whatever the size."""
    per_level = [_encoded(level) for level in range(LEVELS)]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level, (glass, tissue) in enumerate(per_level):
            length = side >> level
            file.write(
                _tiles(length, level, glass, tissue, tissue_every),
                shape=(length, length, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"outcolorspace": "rgb"},
                subfiletype=int(level > 0),
                resolution=(10_000 / UM_PER_PX / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def _tiles(
    length: int, level: int, glass: bytes, tissue: Sequence[bytes], tissue_every: int
) -> Iterator[bytes]:
    count, field = -(-length // TILE), max(1, FIELD >> level)
    random = np.random.default_rng(0)
    for row in range(count):
        for column in range(count):
            is_tissue = (row // field + column // field) % tissue_every == 0
            yield tissue[int(random.integers(len(tissue)))] if is_tissue else glass


def _encoded(level: int) -> tuple[bytes, list[bytes]]:
    random = np.random.default_rng(level)
    tissue = [_mosaic(TILE << level, random) for _ in range(POOL >> level or 1)]
    small = [
        np.asarray(Image.fromarray(each).resize((TILE, TILE), Image.Resampling.BOX))
        for each in tissue
    ]
    return _jpeg(np.full((TILE, TILE, 3), GLASS, np.uint8)), [_jpeg(each) for each in small]


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, level=85, outcolorspace="rgb"))


def _mosaic(side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    picture = np.empty((side, side, 3), np.uint8)
    tiles = [tile for label in LABELS for tile in tissue_of(label) if tile.shape[0] < TILE]
    step = tiles[0].shape[0]
    for y in range(0, side, step):
        for x in range(0, side, step):
            tile = tiles[random.integers(len(tiles))]
            place = picture[y : y + step, x : x + step]
            place[:] = tile[: place.shape[0], : place.shape[1]]
    return picture


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from opening the slide on. `files_rate` is of the same tiles as JPEG files; `busy_ms`
    and `files_busy_ms` are milliseconds of processors that a tile took, which others that use them
    change little; `whole_busy_ms` has those of the overview in it."""

    side: int
    tissue_mm2: float
    tiles: int
    overview_seconds: float
    first_map_seconds: float
    seconds: float
    files_rate: float
    busy_ms: float
    files_busy_ms: float
    whole_busy_ms: float
    memory: int

    @property
    def rate(self) -> float:
        return self.tiles / (self.seconds - self.overview_seconds)

    @property
    def row(self) -> str:
        return (
            f"| {self.side:,}² | {self.tissue_mm2:.0f} | {self.tiles:,} | {self.rate:.0f} | "
            f"{self.files_rate:.0f} | {self.rate / self.files_rate:.2f} | "
            f"{self.busy_ms:.0f} | {self.files_busy_ms:.0f} | "
            f"{self.overview_seconds:.1f} | {self.first_map_seconds:.1f} | {self.seconds:.1f} | "
            f"{self.memory / 1e6:.0f} |"
        )


HEADER = (
    "| side, px | tissue, mm² | tiles | tiles/s | as files | ratio | CPU ms a tile | as files | "
    "overview, s | first map, s | all, s | memory, MB |\n" + 12 * "|---" + "|"
)


def measured(screener: Screener, path: Path, side: int, most: int | None) -> Measured:
    started, busy_at_first = time.perf_counter(), processors()
    with MemorySampler() as memory, closing(open_slide(path)) as reader:
        mask = tissue_mask(reader)
        overview = time.perf_counter() - started
        plan = plan_for(screener, 0.0)
        areas = tile_areas(mask, reader.info.resolution, plan.um_per_px, plan.px)[:most]
        scorer = TileScorer(reader, screener, plan, CoverageLedger(mask))
        done, first_map, busy_before = 0, 0.0, processors()
        for group in scorer.results(iter(areas)):
            done += len(group)
            if done >= FIRST_MAP_TILES and not first_map:
                first_map = time.perf_counter() - started
        seconds = time.perf_counter() - started
        busy = processors()
    with closing(open_slide(path)) as reader:
        rate, files_busy = files_rate(screener, reader, areas[:SAMPLED], plan.px)
    return Measured(
        side,
        mask.mm2,
        done,
        overview,
        first_map,
        seconds,
        rate,
        1000 * (busy - busy_before) / done,
        1000 * files_busy,
        1000 * (busy - busy_at_first) / done,
        memory.most,
    )


def files_rate(
    screener: Screener, reader: SlideReader, areas: Sequence[Area], px: int
) -> tuple[float, float]:
    """Tiles a second of `healer predict` on a folder, and seconds of processors a tile."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, area in enumerate(areas):
            path = Path(folder, f"{number}.jpg")
            Image.fromarray(on_white(reader.read(area, (px, px)))).save(path, quality=90)
            paths.append(path)
        started, busy = time.perf_counter(), time.process_time()
        count = sum(1 for _ in outcomes(screener, paths, SETTINGS))
        seconds = time.perf_counter() - started
        return count / seconds, (time.process_time() - busy) / count


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From opening a slide to the last score."""

    system: str
    tiles: int
    seconds: float
    busy_ms: float
    memory: int

    @classmethod
    def of(cls, own: Measured) -> Pipeline:
        name = "healer, the built-in model"
        return cls(name, own.tiles, own.seconds, own.whole_busy_ms, own.memory)

    @property
    def row(self) -> str:
        return (
            f"| {self.system} | {self.tiles:,} | {self.seconds:.1f} | "
            f"{self.tiles / self.seconds:.1f} | {self.busy_ms:.0f} | {self.memory / 1e6:,.0f} |"
        )


PIPELINES = "\n| system | tiles | s | tiles/s | CPU ms a tile | memory, MB |\n" + 6 * "|---" + "|"


def other_pipeline(name: str, python: Path, slide: Path) -> Pipeline:
    """Raises CalledProcessError; what the system says of itself is shown as it is."""
    command = [str(python), "-m", "benchmarks.other_slides", name, str(slide), str(cores())]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return Pipeline(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def builtin_screener() -> Iterator[Screener]:
    screener = open_screener(EngineChoice(SPEC.name, "it reads whole slides"), SETTINGS)
    try:
        yield screener
    finally:
        screener.engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sides", nargs="*", type=int, default=[10_000], help="in pixels")
    parser.add_argument("--tiles", type=int, help="read no more of each slide")
    parser.add_argument(
        "--tissue-every", type=int, default=2, help="one field in so many is tissue"
    )
    for name in OTHERS:
        parser.add_argument(f"--{name}", type=Path, metavar="PYTHON", help="one that has it")
    options = parser.parse_args()
    others = {name: python for name in OTHERS if (python := getattr(options, name))}
    pipelines = []
    sys.stdout.write(f"{HEADER}\n")
    with builtin_screener() as screener, tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            path = Path(folder, "slide.tiff")
            # In a process of its own, so that what drawing took is not counted.
            arguments = (path, side, options.tissue_every)
            writer = get_context("spawn").Process(target=write_slide, args=arguments)
            writer.start()
            writer.join()
            own = measured(screener, path, side, options.tiles)
            sys.stdout.write(f"{own.row}\n")
            sys.stdout.flush()
            pipelines += [Pipeline.of(own)] * bool(others)
            pipelines += [other_pipeline(name, python, path) for name, python in others.items()]
    if pipelines:
        sys.stdout.write("\n".join([PIPELINES, *(each.row for each in pipelines), ""]))


if __name__ == "__main__":
    main()
