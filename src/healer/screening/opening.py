"""Opening a screener: the chosen engine, and the calibration that belongs to it."""

from __future__ import annotations

from pathlib import Path

from healer.engines import builtin
from healer.engines.base import EngineInfo
from healer.engines.registry import ENGINES, EngineChoice, open_engine
from healer.engines.spec import beside_the_model
from healer.errors.engine import CalibrationMismatch, UpstreamUncalibrated
from healer.questions.base import Question
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening import calibration, reference
from healer.screening.calibration import Calibration
from healer.screening.reference import Reference
from healer.screening.screener import Screener
from healer.settings.loading import Settings

SHIPPED = Path(builtin.__file__).parent / calibration.CALIBRATION_FILE


class Opener:
    """Opens screeners one after another. One that follows a calibrated one is calibrated too.

    A model behind another server can become another model, and its answers must not lose their
    calibration unnoticed.
    """

    def __init__(self, choice: EngineChoice, settings: Settings) -> None:
        self._choice, self._settings = choice, settings
        self._calibrated = False

    def __call__(self) -> Screener:
        """As open_screener; raises UpstreamUncalibrated where the server may be set right."""
        try:
            screener = open_screener(self._choice, self._settings, must_fit=self._calibrated)
        except CalibrationMismatch as why:
            if not ENGINES[self._choice.engine].remote:
                raise
            reason = f"{why.file} is for {why.part} {why.fitted_for}, and it has {why.serving}"
            raise UpstreamUncalibrated(str(self._settings.engine_url), reason) from None
        self._calibrated = screener.calibration is not None
        return screener


def open_screener(
    choice: EngineChoice,
    settings: Settings,
    *,
    must_fit: bool = False,
    question: Question = COLORECTAL_CANCER,
) -> Screener:
    """Blocking; minutes for MedGemma. Raises `healer.errors.ModelError`."""
    engine = open_engine(choice, settings, question)
    try:
        found, warnings = find_calibration(settings, engine.info, must_fit=must_fit)
    except BaseException:
        engine.close()
        raise
    return Screener(engine, found, (*engine.info.warnings, *warnings), question)


def find_calibration(
    settings: Settings, info: EngineInfo, *, must_fit: bool = False
) -> tuple[Calibration | None, tuple[str, ...]]:
    """A calibration named by the operator must fit; one that merely lies there need not, unless
    `must_fit`."""
    if settings.calibration == "off":
        return None, ()
    if settings.calibration != "auto":
        return calibration.load_calibration(Path(settings.calibration), info), ()
    path = place_of(settings, info.engine)
    if not path.is_file():
        return None, ()
    try:
        return calibration.load_calibration(path, info), ()
    except CalibrationMismatch as why:
        if must_fit:
            raise
        return None, (f"not calibrated: {why}",)


def find_reference(settings: Settings, info: EngineInfo) -> Reference | None:
    """What the tiles of the calibration looked like, where `healer calibrate` left it there."""
    if settings.calibration == "off":
        return None
    named = settings.calibration != "auto"
    path = Path(settings.calibration) if named else place_of(settings, info.engine)
    return reference.load_reference(reference.reference_beside(path), info)


def place_of(settings: Settings, engine: str) -> Path:
    """Where the calibration of `engine` lies: with what it was fitted for."""
    spec = ENGINES.get(engine)
    folder = spec.calibration_folder(settings) if spec else beside_the_model(settings)
    return folder / calibration.CALIBRATION_FILE
