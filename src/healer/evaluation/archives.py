"""Unpacking that can only write regular files, below its own folder, within limits."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from healer.errors import ArchiveUnsafe, DatasetUnreadable

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_BYTES = 64 * 1024**3
MOST_FILES = 1_000_000
BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    kind: str  # "file", "folder", or what else it is
    content: IO[bytes] | None


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> Path:
    """Every file of a zip or tar into a new `folder`, which appears only when it is complete.

    Raises ArchiveUnsafe for names that leave the folder, links, devices, names that occur twice,
    and more than `most_bytes` or MOST_FILES; DatasetUnreadable where it is no archive.
    """
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _unpack(archive, partial, most_bytes)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DatasetUnreadable(archive.name, str(error) or type(error).__name__) from None
    else:
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _unpack(archive: Path, folder: Path, most_bytes: int) -> None:
    left = most_bytes
    for count, member in enumerate(_members(archive)):
        if count >= MOST_FILES:
            raise ArchiveUnsafe(archive.name, member.name, f"comes after {MOST_FILES:,} others")
        if member.kind not in ("file", "folder"):
            raise ArchiveUnsafe(archive.name, member.name, f"is {member.kind}")
        target = _target(archive, member.name, folder)
        if member.content is not None:
            left -= _write(archive, member, target, left)


def _members(archive: Path) -> Iterator[Member]:
    if zipfile.is_zipfile(archive):
        yield from _zipped(archive)
    elif tarfile.is_tarfile(archive):
        yield from _tarred(archive)
    else:
        raise DatasetUnreadable(archive.name, "neither a zip nor a tar archive")


def _zipped(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if info.flag_bits & 1:
                yield Member(info.filename, "encrypted", None)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield Member(info.filename, "a link or a device", None)
            elif info.is_dir():
                yield Member(info.filename, "folder", None)
            else:
                with opened.open(info) as content:
                    yield Member(info.filename, "file", content)


def _tarred(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.isdir():
                yield Member(info.name, "folder", None)
            elif info.isreg():
                yield Member(info.name, "file", opened.extractfile(info))
            else:
                yield Member(info.name, "a link or a device", None)


def _target(archive: Path, name: str, folder: Path) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise ArchiveUnsafe(archive.name, name, "lies outside the folder it is unpacked into")
    return folder / path


def _write(archive: Path, member: Member, target: Path, left: int) -> int:
    """Counts what is really written: a header can claim any size."""
    written = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        out = target.open("xb")
    except FileExistsError:
        raise ArchiveUnsafe(archive.name, member.name, "occurs twice") from None
    with out:
        while block := member.content.read(BLOCK) if member.content else b"":
            written += len(block)
            if written > left:
                raise ArchiveUnsafe(archive.name, member.name, "goes past the size limit")
            out.write(block)
    return written
