"""Acquire a model's weights: `python -m healer.download`.

Variables are checked first, then access, then disk space. What is already there is kept if its
hash is right; the manifest comes last, so a folder is complete or known not to be.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from healer.errors.base import HealerError
from healer.errors.engine import ModelAltered, ModelError, ModelIncomplete
from healer.errors.weights import DiskFull, FileDamaged, FolderNotWritable, RevisionNotPinned
from healer.settings.loading import Settings, load_settings
from healer.weights.hub import Hub, RemoteFile, Snapshot
from healer.weights.manifest import (
    MANIFEST_FILE,
    Advance,
    Manifest,
    ManifestFile,
    check_folder,
    read_manifest,
    save_manifest,
    sha256_of,
    strangers,
)

STOPPED_BY_KEYBOARD = 130


def download(settings: Settings, *, progress: bool = True) -> Manifest:
    """Fill MODEL_DIR with the model and return its manifest.

    A folder that is complete at the pinned revision is returned at once, without the network.
    Otherwise what is missing is fetched. Raises InvalidSettings, any DownloadError, or
    ModelAltered where the folder holds a loadable file that is not the model's.
    """
    if not (settings.revision_is_pinned or settings.allow_unpinned):
        raise RevisionNotPinned(settings.model_id, settings.revision)
    folder = settings.model_dir
    if (found := _finished(folder, settings.model_id, settings.revision)) is not None:
        return found
    hub = Hub.of(settings)
    with _writable(folder), _alone(folder), _bars(shown=progress):
        snapshot = hub.snapshot(settings.revision)
        if (found := _finished(folder, settings.model_id, snapshot.commit)) is not None:
            return found
        return _fill(folder, hub, snapshot, progress=progress)


def check_access(settings: Settings) -> str:
    """The commit that would be downloaded; raises as `download` does where the hub refuses."""
    return Hub.of(settings).snapshot(settings.revision).commit


def main() -> int:
    """Download as the environment says; print one sentence and return the exit code."""
    started = datetime.now(UTC)
    try:
        settings = load_settings()
        done = download(settings, progress=sys.stderr.isatty())
    except HealerError as error:
        _print(str(error), stderr=True)
        return error.exit_code
    except KeyboardInterrupt:
        _print("Stopped. Run this again: it goes on where it stopped.", stderr=True)
        return STOPPED_BY_KEYBOARD
    what = (
        f"{done.model_id} at {done.revision[:12]} ({done.size:,} bytes in {len(done.files)} files)"
    )
    if done.created < started:
        _print(f"{what} is already complete in {settings.model_dir}; nothing was downloaded.")
    else:
        _print(f"{what} is complete in {settings.model_dir}; every file was verified.")
    return 0


def _print(sentence: str, *, stderr: bool = False) -> None:
    Console(stderr=stderr, soft_wrap=True, markup=False, highlight=False).print(sentence)


def _finished(folder: Path, model_id: str, commit: str) -> Manifest | None:
    try:
        found = check_folder(folder)
    except ModelError:
        return None
    return found if (found.model_id, found.revision) == (model_id, commit) else None


def _fill(folder: Path, hub: Hub, snapshot: Snapshot, *, progress: bool) -> Manifest:
    files = snapshot.files
    _withdraw(folder, hub.model_id, {file.name for file in files})
    with _hashing(folder, files, progress=progress) as advance:
        present = {file: entry for file in files if (entry := _present(folder, file, advance))}
    missing = [file for file in files if file not in present]
    with _room(folder, missing):
        hub.fetch(snapshot, missing, folder)
        with _hashing(folder, missing, progress=progress) as advance:
            arrived = {file: _verify(folder, file, advance) for file in missing}
        entries = {**present, **arrived}
        result = Manifest(
            model_id=hub.model_id,
            revision=snapshot.commit,
            files=tuple(entries[file] for file in files),
        )
        save_manifest(folder, result)
    return result


def _withdraw(folder: Path, model_id: str, names: set[str]) -> None:
    """Make the folder unfinished, and drop the files of the model it held before."""
    try:
        earlier = {file.name for file in read_manifest(folder).files}
    except ModelIncomplete:
        earlier = set()
    for stranger in strangers(folder, names | earlier):
        raise ModelAltered(str(folder), stranger, f"{model_id} has no such file")
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    for name in earlier - names:
        (folder / name).unlink(missing_ok=True)


def _present(folder: Path, file: RemoteFile, advance: Advance) -> ManifestFile | None:
    """The file if it is already there and right; a damaged one is deleted."""
    if not (folder / file.name).is_file():
        return None
    try:
        return _verify(folder, file, advance)
    except FileDamaged:
        return None


def _verify(folder: Path, file: RemoteFile, advance: Advance) -> ManifestFile:
    """Compare a file with what the hub says of it; raises FileDamaged after deleting it."""
    path = folder / file.name
    if not path.is_file():
        raise FileDamaged(file.name, "it did not arrive")
    size = path.stat().st_size
    sha256 = sha256_of(path, advance)
    if size != file.size:
        flaw = f"{size:,} bytes instead of {file.size:,}"
    elif file.sha256 is None and _git_blob_id(path) != file.blob_id:
        flaw = "its git hash differs"
    elif file.sha256 not in (None, sha256):
        flaw = "its sha256 differs"
    else:
        _flush(path)
        return ManifestFile(name=file.name, size=size, sha256=sha256)
    path.unlink()
    raise FileDamaged(file.name, flaw)


def _git_blob_id(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _flush(path: Path) -> None:
    """A power cut must not leave a manifest whose files never reached the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        (folder / ".cache" / "healer").mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FolderNotWritable(str(folder), reason) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another download into the same folder, such as a replica's on a shared volume."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    with WeakFileLock(folder / ".cache" / "healer" / "lock"):
        yield


@contextmanager
def _room(folder: Path, files: Sequence[RemoteFile]) -> Iterator[None]:
    """Refuse early where the disk is too small, and say so where it fills on the way."""
    if _needed(folder, files) > shutil.disk_usage(folder).free:
        raise _full(folder, files)
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(folder, files) from None


def _full(folder: Path, files: Sequence[RemoteFile]) -> DiskFull:
    return DiskFull(str(folder), _needed(folder, files), shutil.disk_usage(folder).free)


def _needed(folder: Path, files: Sequence[RemoteFile]) -> int:
    """Bytes still to be written."""
    held = [path for file in files for path in (folder / file.name, file.part(folder))]
    return sum(file.size for file in files) - sum(p.stat().st_size for p in held if p.exists())


def _bars(*, shown: bool) -> AbstractContextManager[object]:
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    return nullcontext() if shown else disable_progress_bars()


@contextmanager
def _hashing(folder: Path, files: Sequence[RemoteFile], *, progress: bool) -> Iterator[Advance]:
    size = sum(path.stat().st_size for file in files if (path := folder / file.name).exists())
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (progress and size)) as bar:
        task = bar.add_task("Verifying", total=size)
        yield lambda count: bar.advance(task, count)


if __name__ == "__main__":
    sys.exit(main())
