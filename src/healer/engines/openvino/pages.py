"""Weights in pages of 2 MiB: with the usual ones of 4 KiB a processor reads memory a quarter
slower, as it looks up so many more addresses.

Linux maps a file so where it is asked to before the file is read, or the file is in memory in such
pages already, and the file system can (ext4 since Linux 6.16, XFS since 5.18). The pages stay the
file's, which the system takes back when memory is short; elsewhere nothing changes.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import openvino

from healer.engines.openvino.kernels import address

LARGE = 1 << 20  # bytes of a constant that is certainly the file's


def ask_for_large_pages(model: openvino.Model) -> bool:
    """Of the weights that `model` was read with; False where the system refuses."""
    if sys.platform != "linux":
        return False
    constants = [node.data for node in model.get_ordered_ops() if _is_large(node)]
    if not constants:
        return False
    start = min(address(each) for each in constants)
    end = max(address(each) + each.nbytes for each in constants)
    start -= start % mmap.PAGESIZE
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    failed: int = advise(start, end - start, mmap.MADV_HUGEPAGE)
    return failed == 0


def _is_large(node: Any) -> bool:  # noqa: ANN401
    if node.get_type_name() != "Constant":
        return False
    size: int = node.data.nbytes
    return size >= LARGE
