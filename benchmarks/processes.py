"""Processes that are measured: their environment, their memory, and a limit of it by a cgroup."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import NoMemoryLimit
from healer.errors import InvalidSettings

ROOT = Path("/sys/fs/cgroup")
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
REPOSITORY = Path(__file__).parents[1]
PEAK, ANONYMOUS = "VmHWM:", "RssAnon:"
LAST_LINES = 5


def environment() -> dict[str, str]:
    """Ours, with `benchmarks` on the path, and no library that calls the hub."""
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}


def last_lines(lines: Sequence[str]) -> str:
    """The end of what a process wrote to standard error, in one line."""
    return " ".join(line.strip() for line in lines[-LAST_LINES:])


def memory_of(pid: int | str, figure: str) -> int:
    """Bytes: PEAK is the most that was resident at once so far, ANONYMOUS what no file backs now; 0
    once the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(figure):
                return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A memory cgroup. Page cache that its processes read in counts, as in a container."""

    folder: Path
    limit: int

    def command(self, command: Sequence[str]) -> list[str]:
        """`command`, by a shell that first puts itself into the cgroup."""
        entrance = str(self.folder / "cgroup.procs")
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', entrance, *command]

    @property
    def kills(self) -> int:
        """How often the kernel killed a process in it for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                found = re.search(
                    r"^oom_kill (\d+)",
                    (self.folder / name).read_text(encoding="utf-8"),
                    re.MULTILINE,
                )
                return int(found[1]) if found else 0
        return 0


def parse_size(text: str) -> int:
    """Bytes of `8G`, `512M`; raises InvalidSettings."""
    found = re.fullmatch(r"(\d+)([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if not found:
        raise InvalidSettings("--memory", f"{text} is not a size such as 8G")
    return int(found[1]) * UNITS[found[2].upper()]


@contextlib.contextmanager
def make_memory_limit(limit: int, root: Path = ROOT) -> Iterator[MemoryLimit]:
    """A cgroup with `limit` bytes of memory and no swap; removed afterwards. Raises NoMemoryLimit.

    It is made below the top, for a v2 group that holds processes can hand on no limits.
    """
    place = (
        root / "memory" if (root / "memory").is_dir() else root
    ) / f"healer-bench-{os.getpid()}"
    try:
        place.mkdir()
        for name, value in limit_settings(place, limit).items():
            (place / name).write_text(str(value))
    except OSError as error:
        with contextlib.suppress(OSError):
            place.rmdir()
        raise NoMemoryLimit(f"{error.filename}: {error.strerror}") from None
    try:
        yield MemoryLimit(place, limit)
    finally:
        with contextlib.suppress(OSError):
            place.rmdir()


def limit_settings(place: Path, limit: int) -> dict[str, int]:
    if (place / "memory.limit_in_bytes").exists():
        swap = {"memory.memsw.limit_in_bytes": limit, "memory.swappiness": 0}
        found = {name: value for name, value in swap.items() if (place / name).exists()}
        return {"memory.limit_in_bytes": limit, **found}
    swap = {"memory.swap.max": 0} if (place / "memory.swap.max").exists() else {}
    return {"memory.max": limit, **swap}


def drop_page_cache(folder: Path) -> None:
    """Drops the folder's files from the page cache, so that reading them counts again."""
    for file in folder.glob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
