"""Opening a screener: which engine answers, and why; and the calibration that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from healer.engines import builtin
from healer.engines.base import EngineInfo
from healer.engines.openvino import converted_folder
from healer.engines.openvino.conversion_record import is_converted, is_older, read_conversion
from healer.engines.registry import ENGINES
from healer.engines.spec import beside_the_model
from healer.engines.transformers import accelerator
from healer.errors.engine import CalibrationMismatch, ModelIncomplete, UpstreamUncalibrated
from healer.questions.base import Question
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening import calibration
from healer.screening.calibration import Calibration, Reference
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.weights.manifest import Manifest, read_manifest

SHIPPED = Path(builtin.__file__).parent / calibration.CALIBRATION_FILE


@dataclass(frozen=True, slots=True)
class EngineChoice:
    engine: str
    reason: str


def choose_engine(settings: Settings) -> EngineChoice:
    if settings.engine != "auto":
        return EngineChoice(settings.engine, "HEALER_ENGINE asks for it")
    downloaded, missing = _download(settings.model_dir)
    if downloaded and (device := accelerator(settings.device)):
        return EngineChoice("medgemma", f"MODEL_DIR holds {downloaded.model_id}, and {device}")
    folder = converted_folder(settings.model_dir)
    if is_older(folder):  # refused when it is opened: nobody is to be served another model unasked
        return EngineChoice("openvino", f"{folder} was converted by an older Healer")
    if is_converted(folder):
        source = read_conversion(folder).source
        if not settings.model_adapter or source.adapter or not downloaded:
            return EngineChoice("openvino", f"{folder} holds {source.model_id}, converted")
        why = "MODEL_ADAPTER is not in the converted one"
        return EngineChoice("medgemma", f"MODEL_DIR holds {downloaded.model_id}, and {why}")
    if downloaded:
        reason = f"MODEL_DIR holds a finished download of {downloaded.model_id}"
        return EngineChoice("medgemma", reason)
    return EngineChoice("builtin", f"no finished MedGemma download in MODEL_DIR: {missing}")


def _download(model_dir: Path) -> tuple[Manifest | None, str]:
    """The finished download, or why there is none."""
    try:
        return read_manifest(model_dir), ""
    except ModelIncomplete as why:
        return None, why.reason


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
    engine = ENGINES[choice.engine].open(settings, question)
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
    """The reference of the calibration's tiles, where `healer calibrate` left it there."""
    if settings.calibration == "off":
        return None
    named = settings.calibration != "auto"
    path = Path(settings.calibration) if named else place_of(settings, info.engine)
    return calibration.load_reference(calibration.reference_beside(path), info)


def place_of(settings: Settings, engine: str) -> Path:
    """Where the calibration of `engine` lies: with what it was fitted for."""
    spec = ENGINES.get(engine)
    folder = spec.calibration_folder(settings) if spec else beside_the_model(settings)
    return folder / calibration.CALIBRATION_FILE
