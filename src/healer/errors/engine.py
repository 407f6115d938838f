"""Using weights."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class ModelError(HealerError):
    code = "model_failed"
    title = "The model cannot be used"
    message = "The model cannot be used."
    exit_code = 20


@dataclass(eq=False)
class ModelIncomplete(ModelError):
    folder: str
    reason: str
    code = "model_incomplete"
    title = "The model folder is not a finished download"
    message = "{folder} is not a finished download: {reason}. Run `healer download`; it resumes."
    exit_code = 21


@dataclass(eq=False)
class ModelAltered(ModelError):
    folder: str
    file: str
    reason: str
    code = "model_altered"
    title = "A model file does not match its manifest"
    message = (
        "{file} in {folder} is not the file that was downloaded ({reason}). Delete it and run "
        "`healer download` again."
    )
    exit_code = 22


@dataclass(eq=False)
class ExtraNotInstalled(ModelError):
    engine: str
    extra: str
    reason: str
    code = "extra_not_installed"
    title = "The engine's libraries are not installed"
    message = (
        "The {engine} engine needs libraries that are missing ({reason}). "
        "Install them with: pip install 'healer[{extra}]'"
    )
    exit_code = 23


@dataclass(eq=False)
class DeviceUnavailable(ModelError):
    device: str
    reason: str
    code = "device_unavailable"
    title = "The device cannot be used"
    message = "HEALER_DEVICE={device} cannot be used here ({reason}). Set it to auto or cpu."
    exit_code = 24


@dataclass(eq=False)
class ModelUnsound(ModelError):
    model_id: str
    reason: str
    code = "model_unsound"
    title = "The model gives no usable numbers"
    message = (
        "{model_id} loaded but is not sound: {reason}. If it was loaded in 8 bits, set "
        "HEALER_QUANTIZATION=none; if it was converted, convert it again with "
        "`healer optimize --out`; otherwise see `healer doctor`."
    )
    exit_code = 25


@dataclass(eq=False)
class CalibrationUnreadable(ModelError):
    file: str
    reason: str
    code = "calibration_unreadable"
    title = "The calibration cannot be read"
    message = "{file} is not a calibration ({reason}). Make one with `healer calibrate`."
    exit_code = 27


@dataclass(eq=False)
class CalibrationMismatch(ModelError):
    file: str
    part: str
    fitted_for: str
    serving: str
    code = "calibration_mismatch"
    title = "The calibration belongs to something else"
    message = (
        "{file} was fitted for {part} {fitted_for}, and {serving} is being served. Fit one for "
        "what is served with `healer calibrate`, or unset HEALER_CALIBRATION."
    )
    exit_code = 28


@dataclass(eq=False)
class AdapterIncomplete(ModelError):
    folder: str
    reason: str
    code = "adapter_incomplete"
    title = "The adapter folder is not a finished adapter"
    message = (
        "{folder} is not a finished adapter: {reason}. Set MODEL_ADAPTER to a folder that "
        "`healer tune` has finished, or unset it."
    )
    exit_code = 29


@dataclass(eq=False)
class AdapterMismatch(ModelError):
    folder: str
    part: str
    trained_for: str
    serving: str
    code = "adapter_mismatch"
    title = "The adapter belongs to another model"
    message = (
        "{folder} was trained for {part} {trained_for}, and MODEL_DIR holds {serving}. Set "
        "MODEL_DIR to the model it was trained on, or unset MODEL_ADAPTER."
    )
    exit_code = 29


@dataclass(eq=False)
class AdapterNotMerged(ModelError):
    adapter: str
    folder: str
    code = "adapter_not_merged"
    title = "The converted model does not have the adapter"
    message = (
        "MODEL_ADAPTER={adapter} is not in the converted model at {folder}, and cannot be put on "
        "it. Run `healer tune --merge`, then `healer optimize` on the merged model; or set "
        "HEALER_ENGINE=medgemma, or unset MODEL_ADAPTER."
    )
    exit_code = 29


@dataclass(eq=False)
class ModelNotReady(ModelError):
    reason: str
    code = "model_not_ready"
    title = "The model is not ready"
    message = "The model is not ready: {reason}. Ask /ready, and send the image again once it is."
    exit_code = 26
    retryable = True


@dataclass(eq=False)
class ModelUnavailable(ModelNotReady):
    code = "model_unavailable"
    title = "The model cannot be loaded"
    message = (
        "There is no model to ask: {reason}. Waiting does not help; the operator must put this "
        "right, and `healer doctor` says more."
    )
    retryable = False


def not_ready(reason: str, *, passing: bool) -> ModelNotReady:
    return ModelNotReady(reason) if passing else ModelUnavailable(reason)


@dataclass(eq=False)
class ConversionIncomplete(ModelError):
    folder: str
    reason: str
    code = "conversion_incomplete"
    title = "The folder is not a finished conversion"
    message = "{folder} is not a finished conversion: {reason}. Run `healer optimize`; it resumes."
    exit_code = 30


@dataclass(eq=False)
class ConversionAltered(ModelError):
    folder: str
    file: str
    reason: str
    code = "conversion_altered"
    title = "A converted file is not the one that was verified"
    message = (
        "{file} in {folder} is not the file that `healer optimize` verified ({reason}). Delete "
        "the folder and run `healer optimize` again."
    )
    exit_code = 31


@dataclass(eq=False)
class NotConvertible(ModelError):
    model_id: str
    reason: str
    code = "not_convertible"
    title = "The model cannot be converted"
    message = (
        "{model_id} cannot be converted: {reason}. Healer converts Gemma 3 models that see "
        "images, such as MedGemma 4B; serve this one with HEALER_ENGINE=medgemma."
    )
    exit_code = 32


@dataclass(eq=False)
class ConversionInaccurate(ModelError):
    model_id: str
    reason: str
    code = "conversion_inaccurate"
    title = "The conversion loses too much"
    message = (
        "The conversion of {model_id} differs too much from float32 ({reason}), so it was not "
        "installed. Use --weights int8, or serve the download with HEALER_ENGINE=medgemma."
    )
    exit_code = 33


@dataclass(eq=False)
class ConversionDiskFull(ModelError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "conversion_disk_full"
    title = "Not enough disk space to convert"
    message = (
        "{folder} needs {needed_bytes:,} bytes and the disk has {free_bytes:,} free. Free some "
        "space or set --out to a larger disk."
    )
    exit_code = 34


@dataclass(eq=False)
class MemoryTooSmall(ModelError):
    model_id: str
    needed_bytes: int
    free_bytes: int
    code = "memory_too_small"
    title = "Not enough memory to convert"
    message = (
        "Converting {model_id} takes about {needed_bytes:,} bytes of memory and {free_bytes:,} "
        "are available. Stop other programs, raise the container's limit, or convert on a larger "
        "machine and copy the folder."
    )
    exit_code = 35


@dataclass(eq=False)
class ConversionTaken(ModelError):
    folder: str
    reason: str
    code = "conversion_taken"
    title = "The conversion's folder is taken"
    message = "{folder} {reason}. Choose another --out, or move it away."
    exit_code = 36


@dataclass(eq=False)
class EngineFailed(ModelError):
    reason: str
    code = "engine_failed"
    title = "The model failed"
    message = (
        "The model failed on this image ({reason}); the log holds the cause under request_id. "
        "Other images are answered. Send it again once."
    )


@dataclass(eq=False)
class EngineOutOfMemory(ModelError):
    code = "engine_out_of_memory"
    title = "The model ran out of memory"
    message = (
        "The model ran out of memory on this image. The operator should lower HEALER_QUEUE or "
        "HEALER_BATCH, or give the service more memory; sending it again does not help by itself."
    )


@dataclass(eq=False)
class EngineHung(ModelError):
    seconds: float
    code = "engine_hung"
    title = "The model does not answer"
    message = (
        "The model has been silent for {seconds:g} s and is taken for hung. The service must be "
        "started again, which its platform does; send the image again after that."
    )
    retryable = True


@dataclass(eq=False)
class UpstreamError(ModelError):
    url: str
    reason: str
    code = "upstream_failed"
    title = "The model's server failed"
    message = "The model's server at {url} failed: {reason}. See that server's log."
    exit_code = 37


@dataclass(eq=False)
class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"
    title = "The model's server does not answer"
    message = (
        "The model's server at {url} does not answer: {reason}. Check that it runs, and that "
        "HEALER_ENGINE_URL is its address; then send the image again."
    )
    retryable = True


@dataclass(eq=False)
class UpstreamBusy(UpstreamError):
    code = "upstream_busy"
    title = "The model's server is busy"
    message = "The model's server at {url} is busy: {reason}. Send the image again in a moment."
    retryable = True


@dataclass(eq=False)
class UpstreamKeyRejected(UpstreamError):
    code = "upstream_key_rejected"
    title = "The model's server rejects the key"
    message = (
        "The model's server at {url} rejects HEALER_ENGINE_KEY: {reason}. Set it to a key that "
        "server accepts."
    )
    exit_code = 38


@dataclass(eq=False)
class UpstreamModelUnknown(UpstreamError):
    code = "upstream_model_unknown"
    title = "The model's server does not have the model"
    message = (
        "The model's server at {url} does not serve the model: {reason}. Set "
        "HEALER_ENGINE_MODEL to a name it lists, and HEALER_ENGINE_URL to where its list lies, "
        "without /models at the end."
    )
    exit_code = 39


@dataclass(eq=False)
class UpstreamUnsuited(UpstreamError):
    code = "upstream_unsuited"
    title = "The model's server cannot be read"
    message = (
        "The model's server at {url} does not answer as Healer needs: {reason}. It must speak "
        "OpenAI's /chat/completions with images and top_logprobs, of a model that sees."
    )
    exit_code = 39


@dataclass(eq=False)
class UpstreamChanged(UpstreamError):
    code = "upstream_changed"
    title = "The model's server serves something else now"
    message = (
        "The model's server at {url} is not what it was when Healer probed it: {reason}. Send the "
        "image again in a moment; the service probes the server again first, and checks that its "
        "calibration fits."
    )
    exit_code = 39
    retryable = True


@dataclass(eq=False)
class UpstreamUncalibrated(UpstreamError):
    code = "upstream_uncalibrated"
    title = "The model's server serves something without a calibration"
    message = (
        "The calibration is not one for what the server at {url} serves: {reason}. Let it serve "
        "the former model again, or fit a calibration for this one with `healer calibrate`; the "
        "service looks for either every few seconds."
    )
    exit_code = 39
