"""What the processor is, and what it computes in at full speed."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

NICENESS = 10


@cache
def processor() -> tuple[str, tuple[str, ...]]:
    """Name and instruction sets; none where the system lists none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), ()
    about = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    return about.get("model name", platform.machine()), tuple(about.get("flags", "").split())


CAP = "ONEDNN_MAX_CPU_ISA"  # what oneDNN itself reads, in OpenVINO and in torch


def instruction_sets() -> frozenset[str]:
    """The processor's, as /proc/cpuinfo names them, without those above the level CAP names."""
    cap = os.environ.get(CAP, "").upper()
    forbidden: tuple[str, ...] = ("amx",)
    if cap in ("", "ALL", "DEFAULT") or "AMX" in cap:
        forbidden = ()
    elif not cap.startswith(("AVX512", "AVX10")):
        forbidden = ("amx", "avx512") if "VNNI" in cap else ("amx", "avx512", "avx_vnni")
    elif cap in ("AVX512_CORE", "AVX512_CORE_VNNI"):
        forbidden = ("amx", "avx512_bf16", "avx512_fp16")
        forbidden += ("avx512_vnni", "avx_vnni") if cap == "AVX512_CORE" else ()
    return frozenset(name for name in processor()[1] if not name.startswith(forbidden))


def has_amx() -> bool:
    """Tiles of bfloat16 and of int8 are multiplied by instructions of their own."""
    return "amx_bf16" in instruction_sets()


def bfloat16_is_slow() -> bool:
    """Intel's AVX-512 multiplies bfloat16 no faster than float32, and rounds besides; AMX does."""
    return "Intel" in processor()[0] and not has_amx()


def multiplies_bytes() -> bool:
    """Products of 8-bit integers take one instruction (VNNI), and less where there is AMX."""
    return not {"avx512_vnni", "avx_vnni", "amx_int8"}.isdisjoint(instruction_sets())


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_devices() -> list[str] | None:
    """What torch computes on here, for a person; None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("MPS")
    return [*found, f"CPU with {torch.get_num_threads()} threads"]


def give_way() -> None:
    """The calling thread computes when nobody else does: for work that holds no lock of Python's.

    Where all cores compute, a thread that holds Python's lock would else wait for its turn on
    one of them, and every other thread of Python's with it. Linux alone knows a thread's priority.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # where a sandbox forbids it: slower, no worse
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # cgroup v1
)


def memory_limit_bytes(limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    machine = int(psutil.virtual_memory().total)
    return min([machine, *filter(None, map(_read, limits))])


def free_memory() -> int:
    """Bytes that this process may still take, as far as the system says."""
    return min(int(psutil.virtual_memory().available), memory_limit_bytes())


def _read(limit: Path) -> int | None:
    try:
        return int(limit.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or "max"
        return None
