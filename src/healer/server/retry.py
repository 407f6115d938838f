"""Whether the same request, sent again later, may be answered, and when."""

from __future__ import annotations

from healer import errors

RETRY_AFTER_SECONDS = 5  # where nothing was measured


def retry_after(error: errors.HealerError) -> int | None:
    """Seconds to wait; None where waiting does not help."""
    if isinstance(error, errors.Busy):
        return error.retry_after
    return RETRY_AFTER_SECONDS if error.retryable else None


def retry_headers(error: errors.HealerError) -> dict[str, str]:
    seconds = retry_after(error)
    return {} if seconds is None else {"Retry-After": str(seconds)}
