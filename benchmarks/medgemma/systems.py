"""The systems that can be measured, and at what: answers, token by token, below the level of
sentences.

A system's module imports its libraries at its top and has `load(spec)`, so that importing and
loading can be timed apart.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from benchmarks.errors import UnknownSystem
from healer.engines.openvino import CONVERSION_FOLDER
from healer.images.tile import Tile

# Called when a token is known; the first one is the verdict.
Tick = Callable[[], None]
SIDE = 768  # pixels, as tiles of a slide are often cut


class RunSpec(BaseModel):
    """One run: where the model lies, the question, how often and how long.

    `checkpoint` is the download's folder, `folder` what the system reads. `tokens` are written
    after the verdict; `first_tile` numbers the tiles, so that each run sees the same ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: Path
    folder: Path
    question: str
    second_question: str
    tokens: int
    repeats: int
    threads: int = 0
    first_tile: int = 0


class System(Protocol):
    @property
    def versions(self) -> Mapping[str, str]: ...

    @property
    def prompt_tokens(self) -> int:
        """Of the last question, its image included."""
        ...

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        """The verdict, then `tokens` greedy ones whichever they are; `tick` after each."""
        ...


def tile(number: int, side: int = SIDE) -> Tile:
    """Noise around the pink of eosin; another one for each number, the same on every machine."""
    noise = np.random.default_rng([7, number]).normal((230, 170, 200), 20, (side, side, 3))
    return Tile(noise.clip(0, 255).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """`folder` is where its model lies below the checkpoint; `files` what of it counts on disk.

    `libraries` are imported with its module; `quantization` is handed to its `load`.
    """

    name: str
    title: str
    module: str
    folder: str = "."
    files: str = "*"
    libraries: tuple[str, ...] = ()
    quantization: str | None = None

    def load(self) -> Callable[[RunSpec], System]:
        """Imports its libraries; what is returned loads its model."""
        for library in self.libraries:
            importlib.import_module(library)
        load = importlib.import_module(f"benchmarks.medgemma.{self.module}").load
        return partial(load, quantization=self.quantization) if self.quantization else load

    def place(self, checkpoint: Path) -> Path:
        return checkpoint / self.folder

    def size(self, checkpoint: Path) -> int:
        """Bytes on disk of what it reads."""
        place = self.place(checkpoint)
        return sum(file.stat().st_size for file in place.glob(self.files) if file.is_file())


ENTRIES = (
    SystemEntry("healer-openvino", "Healer, OpenVINO int8", "healer_openvino", CONVERSION_FOLDER),
    SystemEntry("healer-bf16", "Healer, transformers bf16", "healer_transformers"),
    SystemEntry(
        "healer-8bit",
        "Healer, transformers 8-bit",
        "healer_transformers",
        libraries=("bitsandbytes",),
        quantization="8bit",
    ),
    SystemEntry("transformers", "transformers bf16", "plain_transformers"),
    SystemEntry(
        "bitsandbytes",
        "bitsandbytes 8-bit",
        "plain_transformers",
        libraries=("bitsandbytes",),
        quantization="8bit",
    ),
    SystemEntry("llama.cpp", "llama.cpp", "llama_cpp", "gguf", "*.gguf"),
    SystemEntry("openvino-genai", "OpenVINO GenAI", "openvino_genai", "genai"),
)
SYSTEMS = {entry.name: entry for entry in ENTRIES}


def chosen_systems(names: str) -> list[SystemEntry]:
    """Of a comma-separated list, in its order; `all` is every one. Raises UnknownSystem."""
    requested = list(SYSTEMS) if names == "all" else [name.strip() for name in names.split(",")]
    for name in requested:
        if name not in SYSTEMS:
            raise UnknownSystem(name, ", ".join(SYSTEMS))
    return [SYSTEMS[name] for name in dict.fromkeys(requested)]
