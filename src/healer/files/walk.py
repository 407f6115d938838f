"""The one way Healer finds the pictures in a folder.

Every file below the folder is either returned or counted among what was left out. Folders are
walked whatever their name ends in; what is hidden, or belongs to the system or a file server, is
left out with all that lies in it. Linked folders are followed once all others were walked, and
each folder is walked once, so that no loop and no second name brings a tile twice.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from healer.display import examples

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp"})
# Trash, thumbnails and notes that Windows, macOS, Linux, Synology and QNAP leave in folders.
SYSTEM = frozenset(
    {
        *(".ds_store", ".localized"),
        *("__macosx", "network trash folder", "temporary items", "icon\r"),
        *("$recycle.bin", "recycler", "system volume information"),
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("lost+found", "__pycache__"),
    }
)
APPLE_DOUBLE = "._"  # macOS keeps there what another file system cannot hold of the file beside it

MOST_EXAMPLES = 3


class Reason(StrEnum):
    HIDDEN = "hidden"
    SYSTEM = "system"
    OTHER_FORMAT = "other_format"
    NOT_A_FILE = "not_a_file"
    LINK_LOOP = "link_loop"
    LINKED_TWICE = "linked_twice"
    UNREADABLE = "unreadable"
    MASK = "mask"
    NO_CLASS = "no_class"


SENTENCES = {
    Reason.HIDDEN: ("hidden file", "hidden files"),
    Reason.SYSTEM: ("file of the system's own", "files of the system's own"),
    Reason.OTHER_FORMAT: ("file in another format", "files in other formats"),
    Reason.NOT_A_FILE: ("entry that is no regular file", "entries that are no regular files"),
    Reason.LINK_LOOP: (
        "linked folder that leads back to a folder around it",
        "linked folders that lead back to a folder around them",
    ),
    Reason.LINKED_TWICE: (
        "linked folder that is read under another name",
        "linked folders that are read under other names",
    ),
    Reason.UNREADABLE: ("folder that cannot be opened", "folders that cannot be opened"),
    Reason.MASK: ("picture in a folder of masks", "pictures in folders of masks"),
    Reason.NO_CLASS: ("picture outside the class folders", "pictures outside the class folders"),
}


@dataclass(slots=True)
class LeftOut:
    """`counts` by reason; `pictures` are those among them that would have been tiles by their
    name; `examples` are names, or endings of names."""

    counts: Counter[Reason] = field(default_factory=Counter)
    pictures: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, list[str]] = field(default_factory=dict)

    def add(self, reason: Reason, example: str, count: int = 1, pictures: int = 0) -> None:
        if count:
            self.counts[reason] += count
            self.pictures[reason] += pictures
            self._name(reason, example)

    def update(self, other: LeftOut) -> None:
        self.counts.update(other.counts)
        self.pictures.update(other.pictures)
        for reason, names in other.examples.items():
            for name in names:
                self._name(reason, name)

    def _name(self, reason: Reason, example: str) -> None:
        """One more than are shown, which stands for all that follow."""
        named = self.examples.setdefault(reason, [])
        if example not in named and len(named) <= MOST_EXAMPLES:
            named.append(example)

    def __bool__(self) -> bool:
        return self.counts.total() > 0

    def as_json(self) -> dict[str, int]:
        return {str(reason): self.counts[reason] for reason in Reason if self.counts[reason]}

    def __str__(self) -> str:
        """One line, or nothing where nothing was left out."""
        parts = [self._part(reason) for reason in Reason if self.counts[reason]]
        return f"Left out: {'; '.join(parts)}." if parts else ""

    def _part(self, reason: Reason) -> str:
        count, pictures = self.counts[reason], self.pictures[reason]
        words = f"{count:,} {SENTENCES[reason][count != 1]}"
        if pictures and count == 1:
            words += ", a picture"
        elif pictures:
            words += f", {pictures:,} of them {'a picture' if pictures == 1 else 'pictures'}"
        return f"{words} ({examples(self.examples[reason], MOST_EXAMPLES)})"


@dataclass(frozen=True, slots=True)
class Walk:
    """Pictures in name order, and what else lay there."""

    files: list[Path]
    left_out: LeftOut


def is_system_file(name: str) -> bool:
    """Whether systems leave files, or folders, of this name in every folder; they ignore case."""
    return name.startswith(APPLE_DOUBLE) or name.casefold() in SYSTEM


def is_picture(name: str) -> bool:
    """By the end of its name, whatever its case."""
    return ending_of(name) in PICTURES


def ending_of(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a million of them


def walk(folder: Path, endings: frozenset[str] = PICTURES) -> Walk:
    """The pictures at or below `folder`, which may itself be hidden; or what else has `endings`."""
    walker = _Walker(folder, endings)
    walker.run()
    return Walk(sorted(walker.files), walker.left_out)


def walk_all(paths: Iterable[Path]) -> Walk:
    """Named files as they are, folders walked, in the order given."""
    files, left_out = [], LeftOut()
    for path in paths:
        if path.is_dir():
            found = walk(path)
            files += found.files
            left_out.update(found.left_out)
        else:
            files.append(path)
    return Walk(files, left_out)


@dataclass(slots=True)
class _Walker:
    root: Path
    endings: frozenset[str] = PICTURES
    files: list[Path] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    _walked: set[str] = field(default_factory=set)
    _links: list[Path] = field(default_factory=list)

    def run(self) -> None:
        self._tree(self.root)
        while self._links:
            links, self._links = sorted(self._links), []
            for link in links:
                self._follow(link)

    def _tree(self, top: Path) -> None:
        """All that lies below without passing a link."""
        folders = [(top, os.path.realpath(top))]
        while folders:
            folder, real = folders.pop()
            if real in self._walked:
                self.left_out.add(Reason.LINKED_TWICE, folder.name)
                continue
            self._walked.add(real)
            try:
                with os.scandir(folder) as entries:
                    below = [found for entry in entries if (found := self._entry(entry))]
            except OSError:
                self.left_out.add(Reason.UNREADABLE, folder.name)
            else:
                folders += [(path, os.path.join(real, path.name)) for path in below]  # noqa: PTH118

    def _entry(self, entry: os.DirEntry[str]) -> Path | None:
        """The folder to walk, where it is one."""
        if reason := _exclusion(entry.name):
            self.left_out.add(reason, entry.name, *_inside(entry))
        elif _is_folder(entry):
            if not entry.is_symlink():
                return Path(entry.path)
            self._links.append(Path(entry.path))
        elif (ending := ending_of(entry.name)) not in self.endings:
            self.left_out.add(Reason.OTHER_FORMAT, ending or entry.name)
        elif _is_special(entry):
            self.left_out.add(Reason.NOT_A_FILE, entry.name)
        else:
            self.files.append(Path(entry.path))
        return None

    def _follow(self, link: Path) -> None:
        target = Path(os.path.realpath(link))
        around = (os.path.realpath(link.parent), os.path.realpath(self.root))
        if any(Path(place).is_relative_to(target) for place in around):
            self.left_out.add(Reason.LINK_LOOP, link.name)
        else:
            self._tree(link)


def _exclusion(name: str) -> Reason | None:
    if name.startswith("."):
        return Reason.HIDDEN
    return Reason.SYSTEM if is_system_file(name) else None


def _inside(entry: os.DirEntry[str]) -> tuple[int, int]:
    """How many files an excluded entry is or holds, and how many of them are pictures."""
    if not entry.is_dir(follow_symlinks=False):
        return 1, int(is_picture(entry.name) and not _is_folder(entry))
    files = pictures = 0
    for _, _, names in os.walk(entry.path):
        files += len(names)
        pictures += sum(map(is_picture, names))
    return files, pictures


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle: reading it raises
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A pipe, a socket or a device: reading one might never end. A link to nothing is none."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False
