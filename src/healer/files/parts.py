"""What a run has answered so far, as parts in a folder: each is whole or not there, and all are of
one binding, so that a run which was killed goes on and no other is mixed with it."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import filelock

from healer.errors.base import HealerError
from healer.files.disk import atomic_write

BINDING = "run.json"
LOCK = "lock"
DRAFT = "draft"
Binding = Mapping[str, str]


def differing(held: Binding, binding: Binding, names: Iterable[str]) -> str:
    """Which of `names` differ, as a sentence has them."""
    return " and ".join(sorted(name for name in names if held.get(name) != binding.get(name)))


class BoundParts(ABC):
    """One run at a time. What is raised, subclasses say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = filelock.FileLock(folder / LOCK)

    @abstractmethod
    def taken(self) -> HealerError:
        """Another run holds the folder."""

    @abstractmethod
    def mismatch(self, differs: str) -> HealerError:
        """The parts are of a run that differs in this."""

    @abstractmethod
    def not_writable(self, reason: str) -> HealerError: ...

    @property
    @abstractmethod
    def worth_keeping(self) -> bool:
        """Whether a later run may go on from here."""

    def __enter__(self) -> Self:
        with self.write_errors():
            self.folder.mkdir(exist_ok=True)
            try:
                self._lock.acquire(blocking=False)
            except filelock.Timeout:
                raise self.taken() from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.worth_keeping:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def check_binding(self, binding: Binding) -> None:
        """Taken over where none is held; raises `mismatch` where another is."""
        file = self.folder / BINDING
        if not file.exists() or not self.worth_keeping:
            self.write(BINDING, json.dumps(dict(binding), indent=1, ensure_ascii=False).encode())
            return
        held = json.loads(file.read_text(encoding="utf-8"))
        if differs := differing(held, binding, {*held, *binding}):
            raise self.mismatch(differs)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def write(self, name: str, data: bytes) -> None:
        draft = self.folder / DRAFT
        with self.write_errors(), atomic_write(self.folder / name, draft=draft) as stream:
            stream.write(data)

    @contextmanager
    def write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.not_writable(error.strerror or type(error).__name__) from None
