"""Known datasets over HTTP: only when asked, resumed where it stopped, checked before use."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from healer.errors import DatasetDamaged, DatasetUnreachable, DownloadRefused
from healer.evaluation.archives import MOST_BYTES, is_archive, unpack
from healer.evaluation.known import Archive, Known

TIMEOUT = httpx.Timeout(30.0)
NO_RANGE = 416

Advance = Callable[[int, int | None], None]
Say = Callable[[str], None]


def fetch(known: Known, folder: Path, say: Say, advance: Advance) -> Path:
    """The dataset below `folder`, downloaded and unpacked where it is not there yet.

    `advance` gets the bytes so far and in all. Raises `healer.errors.DatasetError`.
    """
    place = place_of(known, folder)
    if place.exists():
        return place
    if known.archive is None:
        raise DownloadRefused(known.name, known.manual, known.page)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"{known.title}: {known.licence}, {known.page}")
    file = folder / Path(urlsplit(known.archive.url).path).name
    _download(known, known.archive, file, folder, advance)
    _check(known.archive, file, say)
    if not is_archive(file):
        return file.rename(place)
    unpack(file, place)
    file.unlink()
    return place


def place_of(known: Known, folder: Path) -> Path:
    """Where a fetched dataset lies: a folder, or the one file it is."""
    single = known.archive is not None and not is_archive(Path(urlsplit(known.archive.url).path))
    return folder / (f"{known.name}.npz" if single else known.name)


def _download(known: Known, archive: Archive, file: Path, folder: Path, advance: Advance) -> None:
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


def _enough_room(known: Known, response: httpx.Response, folder: Path) -> None:
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


def _check(archive: Archive, file: Path, say: Say) -> None:
    kind, _, expected = (archive.checksum or "sha256:").partition(":")
    with file.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    if not expected:
        say(f"checksum not known to Healer: computed sha256 {found}")
    elif found != expected:
        file.unlink()
        raise DatasetDamaged(file.name, f"{kind} {found}, not {expected}")
