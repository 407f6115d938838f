"""The files that make up a slide, opened once: the processes that read them see no others."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from healer.errors.request import FileNotReadable
from healer.errors.slides import NotASlide, SlideUnsupported
from healer.slides.formats import DICOM_MARK, DICOM_MARK_AT

MOST_MEMBERS = 400
MOST_ENTRIES = 20_000  # of a folder that are looked at
SAMPLE_BYTES = 64 * 1024
SAMPLES = 64
END_BYTES = 1024 * 1024
# Slides in logs and metrics: the same within one run, and of no use outside it.
LOG_KEY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Member:
    """An open file and the neutral name it is read by."""

    name: str
    handle: int


class Members:
    """A folder of links to a slide's open files; `path` is the one to open it by."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotReadable and SlideError."""
        self._folder = tempfile.TemporaryDirectory(prefix="healer-slide-")
        self.handles: list[int] = []
        try:
            chosen = _chosen_member(path)
            for original, name in _named_members(chosen):
                self._link(original, name)
        except BaseException:
            self.close()
            raise
        self.path = Path(self._folder.name) / f"slide{_suffix(chosen)}"

    def content_hash(self) -> str:
        """SHA-256 over each file's size, its ends and 64 places spread over it: a slide of many
        gigabytes is not read twice."""
        digest = hashlib.sha256()
        for handle in self.handles:
            size = os.fstat(handle).st_size
            digest.update(size.to_bytes(8, "little"))
            for offset, length in _sampled(size):
                digest.update(os.pread(handle, length, offset))
        return digest.hexdigest()

    def close(self) -> None:
        for handle in self.handles:
            os.close(handle)
        self.handles.clear()
        self._folder.cleanup()

    def _link(self, original: Path, name: str) -> None:
        handle = _opened(original)
        self.handles.append(handle)
        place = Path(self._folder.name) / name
        place.parent.mkdir(exist_ok=True)
        # By descriptor: what is read is what was opened, whatever happens to the path since.
        place.symlink_to(
            f"/proc/self/fd/{handle}" if sys.platform == "linux" else original.resolve()
        )


def companions(path: Path) -> list[Path]:
    """The files beside a slide's own that hold its pixels; none where its format has none, or
    its name does not say which they are."""
    return _files(path.with_suffix("")) if path.suffix.lower() == ".mrxs" else []


def log_key(content_hash: str) -> str:
    """What stands for a slide in a log: its file's name may be a patient's."""
    return hmac.new(LOG_KEY, content_hash.encode(), hashlib.sha256).hexdigest()[:16]


def _sampled(size: int) -> Iterator[tuple[int, int]]:
    if size <= 2 * END_BYTES + SAMPLES * SAMPLE_BYTES:
        yield 0, size
        return
    yield 0, END_BYTES
    step = (size - 2 * END_BYTES) // SAMPLES
    for index in range(SAMPLES):
        yield END_BYTES + index * step, SAMPLE_BYTES
    yield size - END_BYTES, END_BYTES


def _opened(path: Path) -> int:
    """Of a regular file: a pipe would never end."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileNotReadable(reason or type(error).__name__) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotReadable("it is not a regular file")
    return handle


def _suffix(path: Path) -> str:
    """Formats of several files are known by it; of others it says nothing."""
    suffix = path.suffix.lower()
    return suffix if suffix in (".mrxs", ".vms", ".vmu") else ""


def _chosen_member(path: Path) -> Path:
    """The path itself; of a folder its first DICOM file."""
    if not path.is_dir():
        return path
    dicom = next(_dicom_files(path), None)
    if dicom is None:
        raise NotASlide
    return dicom


def _named_members(chosen: Path) -> Iterator[tuple[Path, str]]:
    """The chosen one first. The others keep their names where the format looks for them."""
    suffix = _suffix(chosen)
    yield chosen, f"slide{suffix}"
    others: list[tuple[Path, str]] = []
    if suffix == ".mrxs":
        others = [(file, f"slide/{file.name}") for file in companions(chosen)]
    elif suffix:
        others = [(file, file.name) for file in _files(chosen.parent) if file != chosen]
    elif _is_dicom(chosen):
        beside = (file for file in _dicom_files(chosen.parent) if file != chosen)
        others = [(file, f"{number}") for number, file in enumerate(beside)]
    if len(others) > MOST_MEMBERS:
        raise SlideUnsupported(
            f"one of {len(others):,} files in a folder",
            f"Put its own files into a folder of their own; at most {MOST_MEMBERS} are opened.",
        )
    yield from others


def _files(folder: Path) -> list[Path]:
    try:
        entries = [entry for entry, _ in zip(folder.iterdir(), range(MOST_ENTRIES), strict=False)]
        return sorted(entry for entry in entries if entry.is_file())
    except OSError:
        return []


def _dicom_files(folder: Path) -> Iterator[Path]:
    return (file for file in _files(folder) if _is_dicom(file))


def _is_dicom(path: Path) -> bool:
    try:
        handle = _opened(path)
    except FileNotReadable:
        return False
    try:
        return os.pread(handle, len(DICOM_MARK), DICOM_MARK_AT) == DICOM_MARK
    finally:
        os.close(handle)
