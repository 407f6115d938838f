"""Why something could not be measured; how each ends the command is in docs/performance.md."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors import HealerError


@dataclass(eq=False)
class BenchmarkError(HealerError):
    code = "benchmark_failed"
    title = "Nothing could be measured"
    message = "Nothing could be measured."
    exit_code = 70


@dataclass(eq=False)
class MachineBusy(BenchmarkError):
    used: str
    code = "machine_busy"
    title = "Others are using the cores"
    message = (
        "Other programs use {used} of the cores, so times would not be the machine's own. Stop "
        "them, or measure all the same with --anyway, which the result then says."
    )
    exit_code = 71


@dataclass(eq=False)
class CheckpointDiskFull(BenchmarkError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "checkpoint_disk_full"
    title = "Not enough disk space for the random checkpoint"
    message = (
        "{folder} needs {needed_bytes:,} bytes and the disk has {free_bytes:,} free. Free some "
        "space or set --checkpoint to a larger disk."
    )
    exit_code = 72


@dataclass(eq=False)
class CheckpointFolderTaken(BenchmarkError):
    folder: str
    code = "checkpoint_folder_taken"
    title = "The random checkpoint's folder is taken"
    message = "{folder} holds something else. Choose another --checkpoint, or move it away."
    exit_code = 73


@dataclass(eq=False)
class UnknownSystem(BenchmarkError):
    name: str
    known: str
    code = "unknown_system"
    title = "There is no such system"
    message = "{name} is not a system that can be measured. Choose from: {known}."
    exit_code = 74


@dataclass(eq=False)
class SystemMissing(BenchmarkError):
    name: str
    reason: str
    code = "system_missing"
    title = "A system cannot run here"
    message = "{name} cannot run here: {reason}. See docs/performance.md."
    exit_code = 75


@dataclass(eq=False)
class NoMemoryLimit(BenchmarkError):
    reason: str
    code = "no_memory_limit"
    title = "No memory limit can be set here"
    message = (
        "A limit needs root and a memory cgroup that can be written ({reason}). Run as root, or "
        "leave out --memory."
    )
    exit_code = 76


@dataclass(eq=False)
class LibraryMissing(BenchmarkError):
    reason: str
    code = "library_missing"
    title = "A library that this benchmark needs is not installed"
    message = (
        "This benchmark needs a library that is missing ({reason}). Install what benchmarks need "
        "with: pip install -e '.[dev]'"
    )
    exit_code = 77
