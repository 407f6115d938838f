"""Too busy, too late, or out of memory."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class Busy(HealerError):
    """`retry_after` is in seconds."""

    retry_after: int
    code = "busy"
    title = "The service is busy"
    message = "Healer is busy. Send the image again in {retry_after} s."
    retryable = True


@dataclass(eq=False)
class QueueFull(Busy):
    waiting: int
    code = "queue_full"
    title = "The queue is full"
    message = (
        "{waiting} images are being answered or waiting already. Nothing was kept of this one; "
        "send it again in {retry_after} s."
    )


@dataclass(eq=False)
class UploadsFull(Busy):
    budget_mb: int
    code = "uploads_full"
    title = "Too much is being uploaded"
    message = (
        "Images that hold all of the {budget_mb} MB set aside for them (HEALER_UPLOAD_BUDGET_MB) "
        "are being received or waiting. Send this one again in {retry_after} s."
    )


@dataclass(eq=False)
class ConnectionsFull(Busy):
    limit: int
    code = "connections_full"
    title = "Too many connections are open"
    message = (
        "{limit} connections are open and each has a request under way; HEALER_CONNECTIONS allows "
        "no more. Connect again in {retry_after} s."
    )


@dataclass(eq=False)
class RateLimited(Busy):
    limit: str
    code = "rate_limited"
    title = "Too many requests from one caller"
    message = "One caller may ask {limit}. Send the image again in {retry_after} s."


@dataclass(eq=False)
class OutOfMemory(HealerError):
    code = "out_of_memory"
    title = "Healer ran out of memory"
    message = (
        "There was not enough memory for this image. Send a smaller field of view; the operator "
        "should give the service more memory, or lower HEALER_MAX_PIXELS, HEALER_QUEUE or "
        "HEALER_UPLOAD_BUDGET_MB."
    )


@dataclass(eq=False)
class ImageReaderLost(HealerError):
    """Not for what a picture does to its decoder: that is ImageTooCostly."""

    reason: str
    code = "image_reader_lost"
    title = "The process that reads images was lost"
    message = (
        "The process that reads images was lost ({reason}) before it had read this one, and "
        "another is in its place. The picture is not to blame: send it again in a moment. If that "
        "goes on, the operator should see the log, and whether memory or open files run out."
    )
    retryable = True


@dataclass(eq=False)
class DeadlineExceeded(HealerError):
    seconds: float
    code = "deadline_exceeded"
    title = "There was no answer in time"
    message = (
        "There was no answer within {seconds:g} s, and the work on it was stopped. Send the image "
        "again, later or with a larger X-Request-Timeout, or ask the operator to raise "
        "HEALER_REQUEST_TIMEOUT."
    )
    retryable = True
