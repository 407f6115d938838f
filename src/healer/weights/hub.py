"""The Hugging Face hub: what it knows of a model, and its files.

Every request to it goes through here, every failure becomes one of `healer.errors`, and none of
their messages holds the token.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from healer import __version__
from healer.errors.base import InvalidSettings
from healer.errors.weights import (
    DownloadError,
    HubUnreachable,
    LicenceNotAccepted,
    ModelNotFound,
    RevisionNotFound,
    TokenMissing,
    TokenRejected,
)
from healer.settings.loading import Settings
from healer.settings.model import COMMIT

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoSibling

ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 30.0
RESTARTS = 3  # of one file, where what came does not fit what was there
RANGE_NOT_SATISFIABLE = 416
SHA256 = re.compile(r"[0-9a-f]{64}")
GATED_FAMILIES = ("google/medgemma",)
# What the processor and the model are loaded from; never a second copy of the weights.
NEEDED = re.compile(
    r"""(generation_)?config\.json | (pre)?processor_config\.json | chat_template\.(json|jinja)
    | tokenizer(_config)?\.json | tokenizer\.model | special_tokens_map\.json | added_tokens\.json
    | model(-\d+-of-\d+)?\.safetensors | model\.safetensors\.index\.json""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub lists it: `size` in bytes, git's `blob_id`, and `sha256` if in LFS."""

    name: str
    size: int
    blob_id: str
    sha256: str | None

    def part(self, folder: Path) -> Path:
        """Where the first bytes of a file in LFS wait for the rest, named by its content."""
        return folder / ".cache" / "healer" / f"{self.sha256}.part"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The needed files of a model at one commit."""

    commit: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    endpoint: str
    model_id: str
    token: str | None = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Hub:
        """Check the variables; nothing is sent yet. Raises TokenMissing or InvalidSettings."""
        # Or huggingface_hub reports usage to its maker.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        return cls(_endpoint(), settings.model_id, _token(settings))

    def snapshot(self, revision: str) -> Snapshot:
        """Resolve the revision and make sure that its files may be fetched."""
        with self._translating(revision):
            api = self._api()
            info = api.model_info(
                self.model_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S
            )
            listed = [file for file in info.siblings or () if NEEDED.fullmatch(file.rfilename)]
            snapshot = Snapshot(str(info.sha), tuple(_remote_file(file) for file in listed))
            self._require_pin(snapshot, revision)
            self._require_weights(snapshot)
            # A gated model's listing is public, its files are not.
            api.get_hf_file_metadata(
                url=self._url("config.json", snapshot.commit), timeout=TIMEOUT_S
            )
        return snapshot

    def fetch(self, snapshot: Snapshot, files: Sequence[RemoteFile], folder: Path) -> None:
        """Download `files` into `folder`. OSErrors of the disk pass through."""
        from huggingface_hub import snapshot_download

        small = [file.name for file in files if file.sha256 is None]
        with self._translating(snapshot.commit):
            if small:
                snapshot_download(
                    self.model_id,
                    revision=snapshot.commit,
                    local_dir=folder,
                    allow_patterns=small,
                    endpoint=self.endpoint,
                    token=self.token or False,
                )
            # It makes do with the folder as it is where the hub fails it.
            if not all((folder / name).is_file() for name in small):
                raise HubUnreachable(self.endpoint, "some files did not arrive")
            for file in files:
                if file.sha256 is not None:
                    self._fetch_large(file, snapshot.commit, folder)

    def _fetch_large(self, file: RemoteFile, commit: str, folder: Path) -> None:
        """Fetch what is missing of a file; from its start where a rest does not fit what is there.

        Not by snapshot_download: huggingface_hub 2 deletes the part it has of a file whenever it
        is stopped, and these parts are gigabytes.
        """
        part = file.part(folder)
        with part.open("ab") as target:
            if target.tell() > file.size:
                _empty(target)
            for restarts_left in reversed(range(RESTARTS + 1)):
                if target.tell() == file.size:
                    break
                if self._fetch_rest(file, commit, target) or not restarts_left:
                    break
                _empty(target)
        part.replace(folder / file.name)

    def _fetch_rest(self, file: RemoteFile, commit: str, target: BinaryIO) -> bool:
        """Add what `target` lacks. False where a rest was requested and it does not fit.

        Some mirrors answer a Range with 200 and the rest, which is then taken for the whole file;
        with 206 and the whole file; or with 416.
        """
        from huggingface_hub.errors import HfHubHTTPError
        from huggingface_hub.file_download import http_get

        headers = {"user-agent": f"healer/{__version__}"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        resumed = target.tell()
        try:
            http_get(
                self._url(file.name, commit),
                target,
                resume_size=resumed,
                headers=headers,
                displayed_filename=file.name,
            )
        except HfHubHTTPError as error:
            if error.response.status_code != RANGE_NOT_SATISFIABLE:
                raise
            return False
        except OSError as error:
            if error.errno is not None:
                raise
            return False  # shorter than announced, after a connection was resumed
        return not resumed or target.tell() == file.size

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(
            endpoint=self.endpoint,
            token=self.token or False,
            library_name="healer",
            library_version=__version__,
        )

    def _url(self, name: str, commit: str) -> str:
        return f"{self.endpoint}/{self.model_id}/resolve/{commit}/{name}"

    def _require_pin(self, snapshot: Snapshot, revision: str) -> None:
        """A mirror that ignores the revision must not replace the model."""
        if not COMMIT.fullmatch(snapshot.commit):
            raise ValueError
        if COMMIT.fullmatch(revision) and snapshot.commit != revision:
            raise RevisionNotFound(self.model_id, revision)

    def _require_weights(self, snapshot: Snapshot) -> None:
        names = {file.name for file in snapshot.files}
        if "config.json" not in names or not any(n.endswith(".safetensors") for n in names):
            raise InvalidSettings(
                "MODEL_ID", f"is {self.model_id}, which has no config.json with safetensors weights"
            )

    @contextmanager
    def _translating(self, revision: str) -> Iterator[None]:
        from huggingface_hub import errors
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

        try:
            yield
        except errors.HFValidationError:
            raise ModelNotFound(self.model_id) from None
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError) as error:
            raise self._refusal(error, revision) from None
        except (HTTPError, errors.OfflineModeIsEnabled) as error:
            raise self._unreachable(error) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise self._unreachable(error) from None  # a short file, or an answer without headers
        except (KeyError, TypeError, ValueError):
            raise HubUnreachable(self.endpoint, "it does not answer as a hub does") from None

    def _refusal(self, error: Exception, revision: str) -> DownloadError:
        from huggingface_hub import errors

        # snapshot_download wraps what went wrong on the way to a small file.
        cause = error if isinstance(error, errors.HfHubHTTPError) else error.__cause__
        if not isinstance(cause, errors.HfHubHTTPError):
            return self._unreachable(cause or error)
        if isinstance(cause, errors.RevisionNotFoundError):
            return RevisionNotFound(self.model_id, revision)
        status = cause.response.status_code
        if status == 401 or (status == 403 and _says_why(cause)):
            return self._denial(status)
        if isinstance(cause, errors.RepositoryNotFoundError):
            return ModelNotFound(self.model_id)
        return HubUnreachable(self.endpoint, f"it answered {status}")

    def _denial(self, status: int) -> DownloadError:
        if self.token is None:
            return TokenMissing(self.model_id)
        if status == 401:
            return TokenRejected(self.model_id)
        return LicenceNotAccepted(self.model_id, f"{self.endpoint}/{self.model_id}")

    def _unreachable(self, error: BaseException) -> HubUnreachable:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        return HubUnreachable(self.endpoint, first.rstrip("."))


def _empty(target: BinaryIO) -> None:
    target.seek(0)
    target.truncate()


def _remote_file(file: RepoSibling) -> RemoteFile:
    """Raises ValueError where the listing is not a hub's."""
    sha256 = file.lfs.sha256 if file.lfs else None
    if file.size is None or file.blob_id is None or not SHA256.fullmatch(sha256 or "0" * 64):
        raise ValueError
    return RemoteFile(file.rfilename, file.size, file.blob_id, sha256)


def _says_why(error: HfHubHTTPError) -> bool:
    """Whether a refusal is the hub's own, and not a proxy's on the way."""
    return any(name in error.response.headers for name in ("X-Error-Code", "X-Error-Message"))


def _endpoint() -> str:
    """HF_ENDPOINT as it is now: the library itself reads it only once, when imported."""
    value = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or ENDPOINT
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise InvalidSettings("HF_ENDPOINT", "must be an http(s) address without a password")
    return value


def _token(settings: Settings) -> str | None:
    token = settings.hf_token.get_secret_value().strip() if settings.hf_token else ""
    if not token and settings.model_id.startswith(GATED_FAMILIES):
        raise TokenMissing(settings.model_id)
    if not re.fullmatch(r"[!-~]*", token):
        raise InvalidSettings("MY_HF_TOKEN", "holds characters that no token has")
    return token or None
