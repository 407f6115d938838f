"""A taught tiny checkpoint, tiles that it gets wrong, and one run that puts that right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from healer.engines.transformers.engine import MedGemmaEngine
from healer.engines.transformers.loading import Plan
from healer.evaluation.datasets import Dataset, Limits, read_dataset
from healer.evaluation.published import LabelMapping
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.tuning.data import Recipe, split
from healer.tuning.run import Job, Run
from healer.tuning.train import Step
from healer.weights.manifest import check_folder
from tests.gemma import make_checkpoint
from tests.tuning.tiles import write_tiles

LIMITS = Limits(max_bytes=10**6, max_pixels=10**6)
RECIPE = Recipe(
    rank=4, learning_rate=5e-3, epochs=2, accumulation=2, train_tiles=60, validation_tiles=12
)
EVERY = 2


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """The same sums everywhere, and quicker at this size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says yes to anything pink or purple."""
    return make_checkpoint(tmp_path_factory.mktemp("base"), taught=True)


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_tiles(tmp_path_factory.mktemp("tiles"))
    return read_dataset(folder, LabelMapping.of(["cancer"], []), "synthetic")


def job_of(base: Path, tiles: Dataset, folder: Path, recipe: Recipe = RECIPE) -> Job:
    found = check_folder(base)
    plan = Plan(
        base, COLORECTAL_CANCER, found.model_id, "cpu", "float32", recipe.quantization_on("cpu")
    )
    folder.mkdir(parents=True, exist_ok=True)
    return Job(found, plan, recipe, split(tiles, recipe).train, LIMITS, folder, EVERY)


@pytest.fixture(scope="session")
def finished(
    base: Path, tiles: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Step]]:
    """The folder of a run that was never interrupted, and its steps."""
    folder = tmp_path_factory.mktemp("run")
    run = Run(job_of(base, tiles, folder))
    steps = list(run.steps())
    run.save()
    run.close()
    return folder, steps


def engine_of(
    base: Path, adapter: Path | None = None, dtype: str = "float32", quantization: str = "none"
) -> MedGemmaEngine:
    return MedGemmaEngine.load(
        base,
        COLORECTAL_CANCER,
        device="cpu",
        dtype=dtype,
        quantization=quantization,
        allow_fallback=False,
        threads=0,
        adapter=adapter,
    )


def margins_of(engine: MedGemmaEngine, tiles: Dataset) -> list[float]:
    pixels = [tiles.source.tile(item.path, LIMITS) for item in tiles.items]
    return [evidence.margin for evidence in engine.score(pixels)]
