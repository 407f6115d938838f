"""The one way Healer finds the pictures in a folder.

Every file below the folder is either returned or counted among what was left out. Folders are
walked whatever their name ends in; what is hidden, or belongs to the system or a file server, is
left out with all that lies in it. Linked folders are followed once all others were walked, and
each folder is walked once, so that no loop and no second name brings a tile twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from healer.files.leftout import LeftOut, Reason

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp"})
# Trash, thumbnails and notes of Windows, macOS, Linux, Synology and QNAP that no dot hides.
SYSTEM = frozenset(
    {
        *("__macosx", "network trash folder", "temporary items", "icon\r"),
        *("$recycle.bin", "recycler", "system volume information"),
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("lost+found", "__pycache__"),
    }
)


@dataclass(frozen=True, slots=True)
class Walk:
    """Pictures in name order, and what else lay there."""

    files: list[Path]
    left_out: LeftOut


def is_picture(name: str) -> bool:
    """By the end of its name, whatever its case."""
    return os.path.splitext(name)[1].lower() in PICTURES  # noqa: PTH122 - a million of them


def walk(folder: Path) -> Walk:
    """The pictures at or below `folder`, which may itself be hidden."""
    walker = _Walker(folder)
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
        if reason := _unwanted(entry.name):
            self.left_out.add(reason, entry.name, *_inside(entry))
        elif _is_folder(entry):
            if not entry.is_symlink():
                return Path(entry.path)
            self._links.append(Path(entry.path))
        elif not is_picture(entry.name):
            ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
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


def _unwanted(name: str) -> Reason | None:
    if name.startswith("."):
        return Reason.HIDDEN
    return Reason.SYSTEM if name.casefold() in SYSTEM else None


def _inside(entry: os.DirEntry[str]) -> tuple[int, int]:
    """How many files an unwanted entry is or holds, and how many of them are pictures."""
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
    except OSError:  # a link in a circle; reading it says so
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A pipe, a socket or a device: reading one might never end. A link to nothing is none."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False
