"""Waiting for the model, and the model giving up."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError
from healer.errors.engine import ModelError
from healer.errors.request import RequestError


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
class InvalidTimeout(RequestError):
    code = "invalid_timeout"
    title = "The time-out cannot be read"
    message = (
        "The header X-Request-Timeout takes a number of seconds above 0, such as 30. Leave it out "
        "for the operator's default."
    )


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


@dataclass(eq=False)
class EngineFailed(ModelError):
    reason: str
    code = "engine_failed"
    title = "The model failed"
    message = (
        "The model failed on this image ({reason}); the log holds the cause under request_id. "
        "Other images are answered. Send it again once."
    )


@dataclass(eq=False)
class EngineOutOfMemory(ModelError):
    code = "engine_out_of_memory"
    title = "The model ran out of memory"
    message = (
        "The model ran out of memory on this image. The operator should lower HEALER_QUEUE or "
        "HEALER_BATCH, or give the service more memory; sending it again does not help by itself."
    )


@dataclass(eq=False)
class EngineHung(ModelError):
    seconds: float
    code = "engine_hung"
    title = "The model does not answer"
    message = (
        "The model has been silent for {seconds:g} s and is given up. The service must be started "
        "again, which its platform does; send the image again after that."
    )
    retryable = True
