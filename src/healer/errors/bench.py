"""Measuring speed and memory."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class BenchError(HealerError):
    code = "bench_failed"
    title = "Nothing could be measured"
    message = "Nothing could be measured."
    exit_code = 70


@dataclass(eq=False)
class MachineBusy(BenchError):
    used: str
    code = "machine_busy"
    title = "Others are using the cores"
    message = (
        "Other programs use {used} of the cores, so times would not be the machine's own. Stop "
        "them, or measure all the same with --anyway, which the result then says."
    )
    exit_code = 71


@dataclass(eq=False)
class BenchDiskFull(BenchError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "bench_disk_full"
    title = "Not enough disk space for the random checkpoint"
    message = (
        "{folder} needs {needed_bytes:,} bytes and the disk has {free_bytes:,} free. Free some "
        "space or set --checkpoint to a larger disk."
    )
    exit_code = 72


@dataclass(eq=False)
class CheckpointTaken(BenchError):
    folder: str
    code = "checkpoint_taken"
    title = "The random checkpoint's folder is taken"
    message = "{folder} holds something else. Choose another --checkpoint, or move it away."
    exit_code = 73


@dataclass(eq=False)
class UnknownSystem(BenchError):
    name: str
    known: str
    code = "unknown_contender"
    title = "There is no such contender"
    message = "{name} is not a contender. Choose from: {known}."
    exit_code = 74


@dataclass(eq=False)
class SystemMissing(BenchError):
    name: str
    reason: str
    code = "contender_missing"
    title = "A contender cannot run here"
    message = "{name} cannot run here: {reason}. See docs/performance.md."
    exit_code = 75


@dataclass(eq=False)
class NoMemoryLimit(BenchError):
    reason: str
    code = "no_memory_limit"
    title = "No memory limit can be set here"
    message = (
        "A limit needs root and a memory cgroup that can be written ({reason}). Run as root, or "
        "leave out --memory."
    )
    exit_code = 76
