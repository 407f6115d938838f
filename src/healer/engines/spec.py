"""What Healer knows of an engine before it is opened. Each engine's package holds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from healer.errors.engine import ExtraNotInstalled

if TYPE_CHECKING:
    from healer.engines.base import Engine, EngineInfo
    from healer.questions.base import Question
    from healer.settings.loading import Settings

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Batching:
    """At most `tiles` at once, waited for at most `seconds`; `workers` threads share one model."""

    tiles: int = 1
    seconds: float = 0.0
    workers: int = 1


# On a CPU a tile fills every core by itself: its answer comes soonest alone.
ALONE = Batching()
# A GPU scores many images in hardly more time than one.
GPU = Batching(tiles=16, seconds=0.005)


def batching_by_device(info: EngineInfo, _threads: int) -> Batching:
    """8-bit weights on a GPU are scored tile by tile, so that no tile's margin is moved by its
    neighbours."""
    return GPU if info.device.startswith("cuda") and info.quantization == "none" else ALONE


def beside_the_model(settings: Settings) -> Path:
    """The folder of what a calibration is fitted for: the adapter, or else the model."""
    return settings.model_adapter or settings.model_dir


class ModelSource(StrEnum):
    """Where an engine's model comes from."""

    PACKAGE = "package"
    DOWNLOAD = "download"
    CONVERSION = "conversion"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """`opener` names the function, "module:function", that opens it from settings and a question:
    its libraries load no earlier. `extra` is what `pip install 'healer[…]'` must name,
    `memory_bytes` what the engine holds at its peak, rounded up, `stages` the names of the stages
    that its evidence may time.

    `batching` is for requests that wait, given the CPU threads of each copy of the model;
    `offline_tiles` is the batch where nobody waits, None for the same one, and `offline_at_once`
    how many of those are scored side by side. `calibration_folder` is where its calibration lies by
    default. `worker_per_core` engines are best run once a core.
    `trained_on` names data sets that its model has learnt from. `check` is one more line of
    `healer doctor`: its name, and the function that finds whether all is well, and the words.
    """

    name: str
    extra: str | None
    opener: str
    model: ModelSource
    memory_bytes: int
    stages: frozenset[str]
    batching: Callable[[EngineInfo, int], Batching] = batching_by_device
    offline_tiles: int | None = None
    offline_at_once: int = 1
    calibration_folder: Callable[[Settings], Path] = beside_the_model
    uses_gpu: bool = False
    worker_per_core: bool = False
    trained_on: frozenset[str] = frozenset()
    check: tuple[str, str] | None = None

    def open(self, settings: Settings, question: Question) -> Engine:
        """Blocking; minutes for MedGemma. Raises `healer.errors.ModelError`."""
        engine: Engine = self._import(self.opener)(settings, question)
        return engine

    def run_check(self, settings: Settings) -> tuple[bool, str]:
        """Whether all is well, and the words; true for an engine without a check."""
        if self.check is None:
            return True, ""
        try:
            outcome: tuple[bool, str] = self._import(self.check[1])(settings)
        except ExtraNotInstalled:
            return False, f"{self.name} is not installed: pip install 'healer[{self.extra}]'"
        return outcome

    def _import(self, function: str) -> Callable[..., Any]:
        try:
            imported: Callable[..., Any] = resolve_name(function)
        except ImportError as error:
            if self.extra is None:
                raise
            raise ExtraNotInstalled(self.name, self.extra, str(error)) from error
        return imported

    @property
    def remote(self) -> bool:
        """Whether the model is behind another server, and may go away or change."""
        return self.model is ModelSource.SERVER

    @property
    def from_model_dir(self) -> bool:
        return self.model in (ModelSource.DOWNLOAD, ModelSource.CONVERSION)
