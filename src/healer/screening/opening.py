"""Opening a screener: the chosen engine, and the calibration that belongs to it."""

from __future__ import annotations

from pathlib import Path

from healer import engines
from healer.config import Settings
from healer.engines.base import EngineInfo
from healer.engines.choice import Choice, converted_folder, open_engine
from healer.errors import CalibrationMismatch
from healer.screening import calibration
from healer.screening.calibration import Calibration
from healer.screening.question import COLORECTAL_CANCER
from healer.screening.screener import Screener

SHIPPED = Path(engines.__file__).parent / "builtin" / calibration.NAME


def open_screener(choice: Choice, settings: Settings) -> Screener:
    """Blocking; minutes for MedGemma. Raises `healer.errors.ModelError`."""
    engine = open_engine(choice, settings, COLORECTAL_CANCER)
    found, warnings = find_calibration(settings, engine.info)
    return Screener(engine, found, (*engine.info.warnings, *warnings))


def find_calibration(
    settings: Settings, info: EngineInfo
) -> tuple[Calibration | None, tuple[str, ...]]:
    """A calibration named by the operator must fit; one that merely lies there may not."""
    if settings.calibration == "off":
        return None, ()
    if settings.calibration != "auto":
        return calibration.load(Path(settings.calibration), info), ()
    path = place_of(settings, info.engine)
    if not path.is_file():
        return None, ()
    try:
        return calibration.load(path, info), ()
    except CalibrationMismatch as why:
        return None, (f"not calibrated: {why}",)


def place_of(settings: Settings, engine: str) -> Path:
    """Where the calibration of `engine` lies: with what it was fitted for."""
    if engine == "builtin":
        return SHIPPED
    if engine == "openvino":
        return converted_folder(settings.model_dir) / calibration.NAME
    return (settings.model_adapter or settings.model_dir) / calibration.NAME
