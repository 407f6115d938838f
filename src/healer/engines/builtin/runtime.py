"""Which library runs the network: ONNX Runtime, or OpenVINO, which takes the one in 8-bit integers
quicker, and best many squares at once."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import healer.engines.openvino  # noqa: F401 - keeps a later import of OpenVINO from telemetry
from healer.hardware import multiplies_bytes

if TYPE_CHECKING:
    from healer.settings.loading import Settings

MODEL_FOLDER = Path(__file__).parent
INT8_FOLDER = MODEL_FOLDER / "int8"


class Runtime(StrEnum):
    """Its value is the name of its package."""

    ONNX = "onnxruntime"
    OPENVINO = "openvino"

    @property
    def label(self) -> str:
        return {Runtime.ONNX: "ONNX Runtime", Runtime.OPENVINO: "OpenVINO"}[self]

    def quantization(self, network: str) -> str:
        """What a calibration is bound to, of a network so quantised: of integers OpenVINO makes
        answers that differ a little from ONNX Runtime's."""
        return f"{network}-{self}" if self is Runtime.OPENVINO else network


def model_folder(settings: Settings) -> Path:
    """That of the network in 8-bit integers where HEALER_QUANTIZATION says 8bit and the processor
    multiplies those faster than floats; else that in float32."""
    eight_bits = settings.quantization == "8bit" and multiplies_bytes()
    return INT8_FOLDER if eight_bits else MODEL_FOLDER


def runtime_of(folder: Path) -> Runtime:
    """What runs the network in `folder`: integers OpenVINO, where that is installed."""
    there = folder == INT8_FOLDER and find_spec("openvino") is not None
    return Runtime.OPENVINO if there else Runtime.ONNX


def calibration_of(folder: Path, runtime: Runtime) -> Path:
    """The folder of the calibration. Each network has its own, and the one in integers one for each
    runtime."""
    return folder / runtime if runtime is Runtime.OPENVINO else folder


def calibration_folder(settings: Settings) -> Path:
    folder = model_folder(settings)
    return calibration_of(folder, runtime_of(folder))


def check_runtime(settings: Settings) -> tuple[bool, str]:
    """A line of `healer doctor`: what runs the network, and what would be quicker here."""
    folder = model_folder(settings)
    runtime = runtime_of(folder)
    kind = "8-bit integers" if folder == INT8_FOLDER else "float32"
    words = f"built-in, in {kind}, by {runtime.label} {version(runtime)}"
    if not multiplies_bytes():
        slow = settings.quantization == "8bit"
        return not slow, words + ("; this processor has no VNNI for 8 bits" if slow else "")
    if folder == MODEL_FOLDER:
        return True, f"{words}; with HEALER_QUANTIZATION=8bit it would be quicker here"
    if runtime is Runtime.ONNX:
        return False, f"{words}; OpenVINO is quicker: pip install 'healer[openvino]'"
    return True, words
