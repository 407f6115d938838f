"""The one error tree. Codes are stable: clients may switch on them.

HealerError
├── InvalidSettings          a variable's value cannot be used
├── DownloadError            acquiring weights
│   ├── TokenMissing         no MY_HF_TOKEN / HF_TOKEN
│   ├── TokenRejected        the hub says 401
│   ├── LicenceNotAccepted   the hub says 403: gated
│   ├── ModelNotFound        unknown repository
│   ├── RevisionNotFound     unknown revision
│   ├── RevisionNotPinned    a moving revision, not asked for
│   ├── HubUnreachable       no network, or the hub does not answer
│   ├── DiskFull             checked before downloading
│   ├── FileDamaged          a file arrived with another size or hash
│   └── FolderNotWritable
├── ModelError               using weights
│   ├── ModelIncomplete      MODEL_DIR is not a finished download
│   ├── ModelAltered         a file does not match the manifest
│   ├── ExtraNotInstalled    the engine's libraries are missing
│   ├── DeviceUnavailable
│   ├── ModelUnsound         loaded, but gives no usable numbers
│   ├── CalibrationUnreadable
│   ├── CalibrationMismatch  fitted for another engine, model, prompt …
│   ├── AdapterIncomplete    MODEL_ADAPTER is not a finished adapter
│   ├── AdapterMismatch      trained for another model
│   └── ModelNotReady        still loading, or failed to load
├── DatasetError             evaluating and calibrating
│   ├── DatasetNotFound      neither a path nor fetched yet
│   ├── DatasetUnreadable
│   ├── LabelUnknown         a class that is neither yes nor no
│   ├── DownloadRefused      Healer does not fetch this one
│   ├── DatasetUnreachable   the publisher does not answer
│   ├── DatasetDamaged       an archive arrived with another checksum
│   ├── ArchiveUnsafe        an archive would write where it must not
│   ├── ResultsMismatch      results of something else
│   ├── NotCalibratable      no calibration can be fitted
│   └── EvalNotInstalled     the eval extra is missing
├── TuningError              fine-tuning
│   ├── TooFewCases          no split that parts no case
│   ├── TileUnusable         a training tile cannot be read
│   ├── FolderTaken          the output folder holds something else
│   ├── CheckpointUnusable   damaged, or of another run
│   ├── TuningDiskFull       checked before training
│   └── TuningDiverged       the loss is not a number
└── RequestError             what a client sent
    ├── UploadNotMultipart   another content type
    ├── MalformedForm        multipart that does not parse
    ├── MissingField
    ├── InvalidField
    ├── EmptyFile
    ├── TooManyBytes
    ├── FileNotReadable      on the command line
    └── ImageError
        ├── NotAnImage
        ├── UnsupportedFormat
        ├── TruncatedImage
        ├── TooManyPixels
        └── ImageNotAssessable   the gate: no H&E field that can be judged

Each error carries typed fields and builds its own sentence from them: what happened, then what
to do next. HTTP statuses live in `healer.serving.problems`, exit codes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

Json = str | int | float | bool | None | Sequence[Mapping[str, str | float]]


@dataclass(eq=False)
class HealerError(Exception):
    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    message: ClassVar[str] = "Something went wrong."
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.message.format(**self.fields())

    def fields(self) -> dict[str, Json]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(eq=False)
class InvalidSettings(HealerError):
    variable: str
    reason: str
    code = "invalid_settings"
    title = "A setting cannot be used"
    message = "{variable} {reason}."
    exit_code = 2


@dataclass(eq=False)
class DownloadError(HealerError):
    code = "download_failed"
    title = "The model could not be downloaded"
    message = "The model could not be downloaded."
    exit_code = 10


@dataclass(eq=False)
class TokenMissing(DownloadError):
    model_id: str
    code = "token_missing"
    title = "No Hugging Face token"
    message = (
        "{model_id} needs a Hugging Face token and none is set. Create a read token in your "
        "Hugging Face account settings and pass it as MY_HF_TOKEN (or HF_TOKEN)."
    )
    exit_code = 11


@dataclass(eq=False)
class TokenRejected(DownloadError):
    model_id: str
    code = "token_rejected"
    title = "The hub rejected the token"
    message = (
        "The hub rejected the token while asking for {model_id} (401). Check that MY_HF_TOKEN is "
        "complete, not expired and has read access, or create a new one."
    )
    exit_code = 12


@dataclass(eq=False)
class LicenceNotAccepted(DownloadError):
    model_id: str
    url: str
    code = "licence_not_accepted"
    title = "The model's licence has not been accepted"
    message = (
        "The token is valid but its account has no access to {model_id} (403). Sign in, accept "
        "the terms at {url} and run this again; a fine-grained token also needs permission to "
        "read gated repositories."
    )
    exit_code = 13


@dataclass(eq=False)
class ModelNotFound(DownloadError):
    model_id: str
    code = "model_not_found"
    title = "Unknown model"
    message = "The hub knows no model {model_id}. Check MODEL_ID (owner/name)."
    exit_code = 14


@dataclass(eq=False)
class RevisionNotFound(DownloadError):
    model_id: str
    revision: str
    code = "revision_not_found"
    title = "Unknown revision"
    message = "{model_id} has no revision {revision}. Check MODEL_REVISION (a commit hash)."
    exit_code = 15


@dataclass(eq=False)
class RevisionNotPinned(DownloadError):
    model_id: str
    revision: str
    code = "revision_not_pinned"
    title = "The revision can move"
    message = (
        "MODEL_REVISION={revision} can move, so the same build could hold another {model_id} "
        "tomorrow. Set a commit hash (40 hex digits), or HEALER_ALLOW_UNPINNED=true to accept "
        "that; the manifest will record the commit found."
    )
    exit_code = 16


@dataclass(eq=False)
class HubUnreachable(DownloadError):
    endpoint: str
    reason: str
    code = "hub_unreachable"
    title = "The hub cannot be reached"
    message = (
        "{endpoint} cannot be reached ({reason}). Check the network and proxy, then run this "
        "again: it goes on where it stopped."
    )
    exit_code = 17


@dataclass(eq=False)
class DiskFull(DownloadError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "disk_full"
    title = "Not enough disk space"
    message = (
        "{folder} needs {needed_bytes:,} bytes more and the disk has {free_bytes:,} free. Free "
        "some space or set MODEL_DIR to a larger disk."
    )
    exit_code = 18


@dataclass(eq=False)
class FileDamaged(DownloadError):
    file: str
    reason: str
    code = "file_damaged"
    title = "A file arrived damaged"
    message = (
        "{file} arrived damaged ({reason}) and was deleted. Run this again to fetch it anew; if it "
        "repeats, look at the proxy or mirror on the way to the hub."
    )
    exit_code = 9


@dataclass(eq=False)
class FolderNotWritable(DownloadError):
    folder: str
    reason: str
    code = "folder_not_writable"
    title = "The model folder cannot be written"
    message = "{folder} cannot be written ({reason}). Set MODEL_DIR to a folder you own."
    exit_code = 19


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
        "{model_id} loaded but is not sound: {reason}. Set HEALER_QUANTIZATION=none, or see "
        "`healer doctor`."
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
class ModelNotReady(ModelError):
    reason: str
    code = "model_not_ready"
    title = "The model is not ready"
    message = "The model is not ready: {reason}. Ask /ready, and send the image again once it is."
    exit_code = 26


@dataclass(eq=False)
class DatasetError(HealerError):
    code = "dataset_failed"
    title = "The dataset cannot be used"
    message = "The dataset cannot be used."
    exit_code = 40


@dataclass(eq=False)
class DatasetNotFound(DatasetError):
    dataset: str
    advice: str
    code = "dataset_not_found"
    title = "No such dataset"
    message = "{dataset} is not there. {advice}."
    exit_code = 41


@dataclass(eq=False)
class DatasetUnreadable(DatasetError):
    file: str
    reason: str
    code = "dataset_unreadable"
    title = "The dataset cannot be read"
    message = (
        "{file} cannot be read as a dataset ({reason}). Give a folder with one folder a class, "
        "an index.csv with the columns path and label, or an archive of either."
    )
    exit_code = 42


@dataclass(eq=False)
class LabelUnknown(DatasetError):
    labels: str
    code = "label_unknown"
    title = "A class is neither yes nor no"
    message = (
        "Healer does not know whether these classes are cancer: {labels}. Name the classes that "
        "are with --yes (every other class is then no), and those to leave out with --ignore."
    )
    exit_code = 43


@dataclass(eq=False)
class DownloadRefused(DatasetError):
    dataset: str
    reason: str
    page: str
    code = "download_refused"
    title = "Healer does not download this dataset"
    message = (
        "{dataset} is not downloaded: {reason}. Get it from {page} and give the path of its "
        "folder or archive."
    )
    exit_code = 44


@dataclass(eq=False)
class DatasetUnreachable(DatasetError):
    url: str
    reason: str
    code = "dataset_unreachable"
    title = "The publisher cannot be reached"
    message = (
        "{url} cannot be fetched ({reason}). Check the network and proxy, then run this again: "
        "it goes on where it stopped."
    )
    exit_code = 45


@dataclass(eq=False)
class DatasetDamaged(DatasetError):
    file: str
    reason: str
    code = "dataset_damaged"
    title = "The dataset arrived damaged"
    message = "{file} arrived damaged ({reason}) and was deleted. Run this again to fetch it anew."
    exit_code = 46


@dataclass(eq=False)
class ArchiveUnsafe(DatasetError):
    file: str
    member: str
    reason: str
    code = "archive_unsafe"
    title = "The archive is not safe to unpack"
    message = (
        "{file} holds {member}, which {reason}; nothing of it was kept. Get the archive from its "
        "publisher, or unpack it yourself and give the folder."
    )
    exit_code = 47


@dataclass(eq=False)
class ResultsMismatch(DatasetError):
    file: str
    reason: str
    code = "results_mismatch"
    title = "The results belong to something else"
    message = "{file} cannot be used here: {reason}. Give another folder or file."
    exit_code = 48


@dataclass(eq=False)
class NotCalibratable(DatasetError):
    reason: str
    code = "not_calibratable"
    title = "No calibration can be fitted"
    message = (
        "No calibration can be fitted: {reason}. Use more tiles of known answer, or another model."
    )
    exit_code = 49


@dataclass(eq=False)
class EvalNotInstalled(DatasetError):
    reason: str
    code = "eval_not_installed"
    title = "The evaluation libraries are not installed"
    message = (
        "Evaluation and calibration need libraries that are missing ({reason}). "
        "Install them with: pip install 'healer[eval]'"
    )
    exit_code = 50


@dataclass(eq=False)
class TuningError(HealerError):
    code = "tuning_failed"
    title = "The model cannot be tuned"
    message = "The model cannot be tuned."
    exit_code = 60


@dataclass(eq=False)
class TooFewCases(TuningError):
    dataset: str
    reason: str
    code = "too_few_cases"
    title = "The dataset cannot be split by case"
    message = (
        "{dataset} cannot be split into training and validation without parting a case: "
        "{reason}. Add cases of the rarer answer."
    )
    exit_code = 61


@dataclass(eq=False)
class TileUnusable(TuningError):
    path: str
    reason: str
    code = "tile_unusable"
    title = "A training tile cannot be read"
    message = "{path} cannot be read: {reason} Repair it or take it out, and start a new run."
    exit_code = 62


@dataclass(eq=False)
class FolderTaken(TuningError):
    folder: str
    reason: str
    code = "folder_taken"
    title = "The output folder is taken"
    message = "{folder} {reason}. Choose another --out."
    exit_code = 63


@dataclass(eq=False)
class CheckpointUnusable(TuningError):
    file: str
    reason: str
    code = "checkpoint_unusable"
    title = "The run cannot be resumed"
    message = (
        "{file} cannot be resumed from: {reason}. Repeat the command that began the run with "
        "--resume, or choose another --out."
    )
    exit_code = 64


@dataclass(eq=False)
class TuningDiskFull(TuningError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "tuning_disk_full"
    title = "Not enough disk space to tune"
    message = (
        "{folder} needs {needed_bytes:,} bytes and the disk has {free_bytes:,} free. Free some "
        "space or set --out to a larger disk."
    )
    exit_code = 65


@dataclass(eq=False)
class TuningDiverged(TuningError):
    step: int
    code = "tuning_diverged"
    title = "The training diverged"
    message = (
        "At step {step} the loss or its gradient is not a finite number. Start again with a lower "
        "--learning-rate."
    )
    exit_code = 66


@dataclass(eq=False)
class RequestError(HealerError):
    code = "bad_request"
    title = "The request cannot be answered"
    message = "The request cannot be answered."
    exit_code = 30


@dataclass(eq=False)
class UploadNotMultipart(RequestError):
    code = "upload_not_multipart"
    title = "The upload is not a multipart form"
    message = (
        "The request body is not multipart/form-data. Send the picture as the form field "
        "image_file, for example: curl -F image_file=@tile.png URL."
    )


@dataclass(eq=False)
class MalformedForm(RequestError):
    reason: str
    code = "malformed_form"
    title = "The form cannot be read"
    message = "The multipart form cannot be read ({reason}). Send it again."


@dataclass(eq=False)
class MissingField(RequestError):
    field: str
    code = "missing_field"
    title = "A form field is missing"
    message = "The form has no file in its field {field}. Send the picture there."


@dataclass(eq=False)
class InvalidField(RequestError):
    field: str
    choices: str
    code = "invalid_field"
    title = "A form field has a value that is not known"
    message = "The form field {field} takes one of: {choices}. Leave it out for the default."


@dataclass(eq=False)
class EmptyFile(RequestError):
    code = "empty_file"
    title = "The file is empty"
    message = "The file holds no bytes. Send the picture again."


@dataclass(eq=False)
class TooManyBytes(RequestError):
    limit_bytes: int
    code = "too_many_bytes"
    title = "The file is too large"
    message = (
        "The upload is larger than {limit_bytes:,} bytes. Send a smaller field of view, or ask "
        "the operator to raise HEALER_MAX_BYTES."
    )


@dataclass(eq=False)
class FileNotReadable(RequestError):
    reason: str
    code = "file_not_readable"
    title = "The file cannot be read"
    message = "The file cannot be read: {reason}. Check the path and its permissions."


@dataclass(eq=False)
class ImageError(RequestError):
    code = "bad_image"
    title = "The image cannot be read"
    message = "The image cannot be read."


@dataclass(eq=False)
class NotAnImage(ImageError):
    code = "not_an_image"
    title = "The file is not an image"
    message = "The file is not an image that Healer knows. Send PNG, JPEG, TIFF, WebP or BMP."


@dataclass(eq=False)
class UnsupportedFormat(ImageError):
    format: str
    code = "unsupported_format"
    title = "The image format is not supported"
    message = "The image is {format}. Send PNG, JPEG, TIFF, WebP or BMP."


@dataclass(eq=False)
class TruncatedImage(ImageError):
    reason: str
    code = "truncated_image"
    title = "The image is truncated or damaged"
    message = "The image is truncated or damaged ({reason}). Export or copy it again and resend."


@dataclass(eq=False)
class TooManyPixels(ImageError):
    width: int
    height: int
    limit_pixels: int
    code = "too_many_pixels"
    title = "The image has too many pixels"
    message = (
        "The image is {width} × {height} pixels; at most {limit_pixels:,} are read. Send one "
        "field of view, not a whole slide, or ask the operator to raise HEALER_MAX_PIXELS."
    )


@dataclass(eq=False)
class ImageNotAssessable(ImageError):
    sentences: str
    reasons: tuple[Mapping[str, str | float], ...] = ()
    code = "image_not_assessable"
    title = "The picture cannot be assessed"
    message = (
        "{sentences} Send another field, or send the form field gate=warn (HEALER_GATE, --gate) to "
        "have it answered all the same."
    )
