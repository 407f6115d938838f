"""The manifest: what makes a folder a finished download, and how its files are checked.

`healer-manifest.json` is written last, so a folder without one is never taken for complete.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import Field, ValidationError

from healer import __version__
from healer.errors.base import HealerError
from healer.errors.engine import ModelAltered, ModelIncomplete
from healer.files.disk import StoredRecord, save_record
from healer.files.walk import is_system_file

OURS = "healer-"  # the manifest and a calibration: no model library picks these up
MANIFEST_FILE = f"{OURS}manifest.json"
SMALL_BYTES = 32 * 1024 * 1024
CHUNK_BYTES = 8 * 1024 * 1024
# What a model library may pick up from a folder merely because it lies there.
LOADABLE = frozenset({".bin", ".jinja", ".json", ".model", ".py", ".safetensors"})

Advance = Callable[[int], None]


class ManifestFile(StoredRecord):
    """A file at the top of the folder; `size` in bytes, `sha256` in hex."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Listing(StoredRecord):
    """The files of a folder, and what wrote them."""

    format: Literal[1] = 1
    files: tuple[ManifestFile, ...] = Field(min_length=1)
    healer: str = __version__
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


Listed = TypeVar("Listed", bound=Listing)


class Fetched(StoredRecord):
    """`revision` is the commit that was fetched, also where a branch was requested; `adapter` names
    one that `healer tune --merge` baked into the weights."""

    model_id: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    adapter: str | None = None


class Manifest(Listing, Fetched):
    """That, and its files."""


@dataclass(frozen=True, slots=True)
class FolderKind(Generic[Listed]):
    """One kind of folder: what its listing is called, and the errors raised for it."""

    name: str
    listing: type[Listed]
    incomplete: Callable[[str, str], HealerError]
    altered: Callable[[str, str, str], HealerError]

    def read(self, folder: Path) -> Listed:
        """Raises `incomplete` where there is none that can be read."""
        try:
            return self.listing.model_validate_json((folder / self.name).read_bytes())
        except FileNotFoundError:
            raise self.incomplete(str(folder), f"it holds no {self.name}") from None
        except OSError as error:
            raise self.incomplete(str(folder), f"{self.name}: {error.strerror}") from None
        except ValidationError:
            reason = f"{self.name} is damaged or of another Healer"
            raise self.incomplete(str(folder), reason) from None

    def is_complete(self, folder: Path) -> bool:
        """Whether all was written here; an altered file counts, so that loading names it."""
        with contextlib.suppress(HealerError):
            return all((folder / file.name).is_file() for file in self.read(folder).files)
        return False

    def check(self, folder: Path, *, deep: bool, advance: Advance | None = None) -> Listed:
        """Raises `incomplete` or `altered`."""
        listing = self.read(folder)
        for file in listing.files:
            self._check_file(folder, file, deep=deep, advance=advance)
        return listing

    def _check_file(
        self, folder: Path, file: ManifestFile, *, deep: bool, advance: Advance | None
    ) -> None:
        path = folder / file.name
        if not path.is_file():
            raise self.incomplete(str(folder), f"{file.name} is missing")
        size = path.stat().st_size
        if size != file.size:
            raise self.altered(str(folder), file.name, f"{size:,} bytes instead of {file.size:,}")
        if (deep or size < SMALL_BYTES) and sha256_of(path, advance) != file.sha256:
            raise self.altered(str(folder), file.name, "its sha256 differs")


DOWNLOAD = FolderKind(MANIFEST_FILE, Manifest, ModelIncomplete, ModelAltered)


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; raises ModelIncomplete where there is none that can be read."""
    return DOWNLOAD.read(folder)


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest in one step, or not at all."""
    save_record(folder / MANIFEST_FILE, manifest)


def check_folder(folder: Path, *, deep: bool = False, advance: Advance | None = None) -> Manifest:
    """Compare the folder with its manifest.

    Names and sizes are compared, and the sha256 of files under 32 MiB; `deep` hashes the weights
    too. `advance` gets the count of bytes hashed. Raises ModelIncomplete (no manifest, a file
    missing) or ModelAltered (another size or content, or a loadable file not downloaded).
    """
    manifest = DOWNLOAD.check(folder, deep=deep, advance=advance)
    for name in strangers(folder, {file.name for file in manifest.files}):
        raise ModelAltered(str(folder), name, "it is not in the manifest")
    return manifest


def is_complete_folder(folder: Path) -> bool:
    """Whether a download was finished here; an altered file counts, so that loading names it."""
    return DOWNLOAD.is_complete(folder)


def is_empty(folder: Path) -> bool:
    """Whether there is no such folder, or nothing in it but what systems leave in each."""
    return not folder.exists() or all(is_system_file(path.name) for path in folder.iterdir())


def weights_in(folder: Path) -> list[Path]:
    """The folder's files of safetensors, in order."""
    return sorted(path for path in folder.glob("*.safetensors") if not is_system_file(path.name))


def strangers(folder: Path, known: Collection[str]) -> list[str]:
    """Names of loadable files in the folder that are not `known`, in order."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix in LOADABLE
        and not path.name.startswith(OURS)
        and not is_system_file(path.name)
        and path.name not in known
    )


def record_of(path: Path) -> ManifestFile:
    """A file as it lies there; reads all of it."""
    return ManifestFile(name=path.name, size=path.stat().st_size, sha256=sha256_of(path))


def sha256_of(path: Path, advance: Advance | None = None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            if advance:
                advance(len(chunk))
    return digest.hexdigest()
