from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from healer import hardware
from healer.hardware import NICENESS, give_way


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a thread's priority")
def test_a_thread_gives_way_alone() -> None:
    before = niceness()
    with ThreadPoolExecutor(1, initializer=give_way) as pool:
        assert pool.submit(niceness).result() == NICENESS
    assert niceness() == before < NICENESS


@pytest.mark.parametrize(
    ("cap", "left"),
    [
        ("", {"avx2", "avx_vnni", "avx512_vnni", "amx_bf16"}),
        ("AVX512_CORE_AMX", {"avx2", "avx_vnni", "avx512_vnni", "amx_bf16"}),
        ("avx512_core_fp16", {"avx2", "avx_vnni", "avx512_vnni"}),
        ("AVX512_CORE", {"avx2"}),
        ("AVX2_VNNI", {"avx2", "avx_vnni"}),
        ("AVX2", {"avx2"}),
    ],
)
def test_instruction_sets_are_those_that_onednn_may_use(
    cap: str, left: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ("avx2", "avx_vnni", "avx512_vnni", "amx_bf16")
    monkeypatch.setattr(hardware, "processor", lambda: ("Intel Xeon", there))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    assert hardware.instruction_sets() == left
    assert hardware.bfloat16_is_slow() == ("amx_bf16" not in left)


@pytest.mark.parametrize(
    ("cap", "bytes_are_quick"),
    [("", True), ("AVX512_CORE_VNNI", True), ("AVX512_CORE", False), ("AVX2", False)],
)
def test_bytes_are_multiplied_only_as_the_cap_allows(
    cap: str, bytes_are_quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below it OpenVINO computes the 8-bit network otherwise than it was calibrated."""
    there = ("avx2", "avx_vnni", "avx512_vnni")
    monkeypatch.setattr(hardware, "processor", lambda: ("a processor", there))
    monkeypatch.setenv(hardware.CAP, cap)
    assert hardware.multiplies_bytes() == bytes_are_quick
