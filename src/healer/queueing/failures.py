"""What an engine's failure is called."""

from __future__ import annotations

import structlog

from healer.errors import EngineFailed, EngineOutOfMemory, HealerError

log = structlog.get_logger(__name__)

# torch's, OpenVINO's and ONNX Runtime's ways of saying it, beside Python's MemoryError.
SIGNS = ("out of memory", "bad_alloc", "failed to allocate", "bad allocation")


def named(error: BaseException) -> HealerError:
    """An error of our tree as it is; anything else as one, its cause in the log."""
    if isinstance(error, HealerError):
        return error
    log.error("the model failed", exc_info=error)
    said = str(error).lower()
    if isinstance(error, MemoryError) or any(sign in said for sign in SIGNS):
        return EngineOutOfMemory()
    return EngineFailed(type(error).__name__)
