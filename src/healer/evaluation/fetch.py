"""Download and unpack published datasets and archives into a local folder."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

import httpx

from healer.display import printable
from healer.errors.evaluation import (
    ArchiveUnsafe,
    DatasetDamaged,
    DatasetNotFound,
    DatasetUnreachable,
    DatasetUnreadable,
    DownloadRefused,
)
from healer.evaluation import datasets
from healer.evaluation.datasets import Dataset
from healer.evaluation.published import PUBLISHED, LabelMapping, PublishedArchive, PublishedDataset

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_BYTES = 64 * 1024**3
MOST_FILES = 1_000_000
BLOCK = 1024 * 1024
TIMEOUT = httpx.Timeout(30.0)
NO_RANGE = 416
FOLDER = Path("runs/datasets")

Advance = Callable[[int, int | None], None]
Print = Callable[[str], None]


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


def fetch(known: PublishedDataset, folder: Path, print_line: Print, advance: Advance) -> Path:
    """The dataset below `folder`, downloaded and unpacked where it is not there yet.

    `advance` gets the bytes so far and in all. Raises `healer.errors.DatasetError`.
    """
    place = place_of(known, folder)
    if place.exists():
        return place
    if known.archive is None:
        raise DownloadRefused(known.name, known.manual, known.page)
    folder.mkdir(parents=True, exist_ok=True)
    print_line(f"{known.title}: {known.licence}, {known.page}")
    file = folder / Path(urlsplit(known.archive.url).path).name
    _download(known, known.archive, file, folder, advance)
    _check(known.archive, file, print_line)
    if not is_archive(file):
        return file.rename(place)
    unpack(file, place)
    file.unlink()
    return place


def place_of(known: PublishedDataset, folder: Path) -> Path:
    """Where a fetched dataset lies: a folder, or the one file it is."""
    single = known.archive is not None and not is_archive(Path(urlsplit(known.archive.url).path))
    return folder / (f"{known.name}.npz" if single else known.name)


def _download(
    known: PublishedDataset, archive: PublishedArchive, file: Path, folder: Path, advance: Advance
) -> None:
    if file.exists():
        return
    partial = file.with_name(f"{file.name}.part")
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    limit = archive.size_bytes or MOST_BYTES
    try:
        with (
            httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client,
            client.stream("GET", archive.url, headers=headers) as response,
        ):
            if response.status_code != NO_RANGE:
                response.raise_for_status()
                _enough_room(known, response, folder)
                resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
                _receive(response, partial, start if resumed else 0, limit, advance)
    except httpx.HTTPError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetUnreachable(archive.url, reason) from None
    partial.rename(file)


def _enough_room(known: PublishedDataset, response: httpx.Response, folder: Path) -> None:
    needed = 2 * int(response.headers.get("Content-Length", 0))  # the archive and what it holds
    free = shutil.disk_usage(folder).free
    if needed > free:
        reason = f"it needs about {needed:,} bytes here and {free:,} are free"
        raise DownloadRefused(known.name, reason, known.page)


def _receive(
    response: httpx.Response, partial: Path, start: int, limit: int, advance: Advance
) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with partial.open("ab" if start else "wb") as out:
        for block in response.iter_bytes():
            start += len(block)
            if start > limit:
                break
            out.write(block)
            advance(start, total)
    if start > limit:
        partial.unlink()
        raise DatasetDamaged(partial.stem, f"it is larger than {limit:,} bytes")


def _check(archive: PublishedArchive, file: Path, print_line: Print) -> None:
    kind, _, expected = (archive.checksum or "sha256:").partition(":")
    with file.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    if not expected:
        print_line(f"checksum not known to Healer: computed sha256 {found}")
    elif found != expected:
        file.unlink()
        raise DatasetDamaged(file.name, f"{kind} {found}, not {expected}")


def locate(
    name_or_path: str,
    mapping: LabelMapping,
    print_line: Print,
    advance: Advance,
    *,
    download: bool = False,
    folder: Path = FOLDER,
) -> Dataset:
    """Raises `healer.errors.DatasetError`; downloads only where `download` is set."""
    path = Path(name_or_path)
    if path.exists():
        return _at(path, mapping, print_line, folder)
    known = PUBLISHED.get(name_or_path.casefold())
    if known is None:
        return datasets.read_dataset(path, mapping)
    place = place_of(known, folder)
    if not download and not place.exists():
        advice = f"Pass --download to fetch it ({known.licence}), or give the path of your copy"
        raise DatasetNotFound(known.name, advice)
    return datasets.read_dataset(fetch(known, folder, print_line, advance), mapping, known.name)


def _at(path: Path, mapping: LabelMapping, print_line: Print, folder: Path) -> Dataset:
    if path.is_dir() or not is_archive(path):
        return datasets.read_dataset(path, mapping)
    name = next(path.name[: -len(end)] for end in SUFFIXES if path.name.lower().endswith(end))
    place = folder / name
    if not place.exists():
        print_line(printable(f"Unpacking {path.name} into {place}"))
        unpack(path, place)
    return datasets.read_dataset(place, mapping, name)
