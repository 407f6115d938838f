"""The slides of the folder: what is there, under ids that say nothing of their names.

No slide is opened to be listed. Nothing outside the folder is ever offered: a link on the way to a
file leaves it out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import structlog

from healer.errors.base import HealerError
from healer.errors.worklist import SlideUnknown
from healer.files.spelling import escaped, to_bytes
from healer.files.walk import walk
from healer.slides.listing import DICOM, ENDINGS, ListedSlide, list_slides, series_of
from healer.slides.members import companions

log = structlog.get_logger(__name__)

LIST = "slides.csv"  # in the folder itself: cases, and the scale of slides that state none
REFRESH_SECONDS = 5.0
ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Stamp:
    """Changes when a file is replaced or written."""

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    def as_text(self) -> str:
        return f"{self.size}-{self.modified_ns}-{self.inode}"


def stamp_of(files: Sequence[Path]) -> str:
    """Of all files of a slide: of a single one, or of a series of many."""
    texts = [stamp.as_text() if (stamp := Stamp.of(file)) else "gone" for file in files]
    if len(texts) == 1:
        return texts[0]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True, slots=True)
class SlideEntry:
    """`name` is the path within the folder; `case` that of the list, or the folder's name;
    `files` are all that were found of it, `stamp` is theirs when it was listed."""

    id: str
    path: Path
    name: str
    case: str | None
    mpp: float | None
    files: tuple[Path, ...]
    stamp: str

    def stamp_now(self) -> str:
        return stamp_of(self.files)


class Catalogue:
    """For several threads. `key` makes the ids: the same in every run, of no use without it."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._key = key
        self._lock = threading.Lock()
        self._entries: dict[str, SlideEntry] = {}
        self._listed_at: float | None = None

    def entries(self) -> Mapping[str, SlideEntry]:
        """By id, in the order of their names."""
        with self._lock:
            now = time.monotonic()
            if self._listed_at is None or now - self._listed_at > REFRESH_SECONDS:
                self._entries = {entry.id: entry for entry in self._found()}
                self._listed_at = time.monotonic()
            return self._entries

    def entry(self, slide_id: str) -> SlideEntry:
        """With the stamp that its file has now. Raises SlideUnknown, also where its place has
        become a link."""
        entry = self.entries().get(slide_id)
        if entry is None or not entry.path.exists() or not self._is_within(entry.path):
            raise SlideUnknown
        current = replace(entry, stamp=entry.stamp_now())
        if current != entry:
            with self._lock:
                self._entries = {**self._entries, slide_id: current}
        return current

    def pseudonym(self, text: str) -> str:
        """The same for the same text, and of no use without the key."""
        digest = hmac.new(self._key, to_bytes(text), hashlib.sha256)
        return digest.hexdigest()[:ID_DIGITS]

    def _found(self) -> Iterator[SlideEntry]:
        listed = self._listed()
        files = [file for file in walk(self._folder, ENDINGS).files if self._is_within(file)]
        for members, place in _slides_among(files, self._folder):
            file = members[0]
            name = escaped(place.relative_to(self._folder).as_posix())
            row = listed.get(file) or listed.get(place)
            case = (row and row.case) or self._folder_of(file)
            mpp, stamp = row.mpp if row else None, stamp_of(members)
            yield SlideEntry(self.pseudonym(name), file, name, case, mpp, members, stamp)

    def _folder_of(self, file: Path) -> str | None:
        folders = file.relative_to(self._folder).parts[:-1]
        return escaped(folders[0]) if folders else None

    def _listed(self) -> Mapping[Path, ListedSlide]:
        """Rows of the list, where there is one; a list that cannot be read costs its columns."""
        place = self._folder / LIST
        if not place.is_file() or not self._is_within(place):
            return {}
        try:
            return {Path(os.path.normpath(row.path)): row for row in list_slides([place]).slides}
        except HealerError as error:
            log.warning("list of slides", code=error.code)
            return {}

    def _is_within(self, path: Path) -> bool:
        return os.path.realpath(path) == str(path)


def _slides_among(files: list[Path], root: Path) -> Iterator[tuple[tuple[Path, ...], Path]]:
    """Each slide's files, and the path that names it. DICOM keeps each level in a file of its own:
    a folder below `root` that holds one series alone names the slide."""
    series: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if file.suffix.lower() != DICOM:
            yield (file, *companions(file)), file
        elif stamp := Stamp.of(file):
            series[file.parent][_series(file, stamp)].append(file)
    for folder, members in series.items():
        for levels in members.values():
            alone = len(members) == 1 and len(levels) > 1 and folder != root
            yield tuple(levels), folder if alone else levels[0]


@lru_cache(100_000)
def _series(file: Path, _stamp: Stamp) -> str:
    return series_of(file)
