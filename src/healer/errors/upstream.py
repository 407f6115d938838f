"""Asking a model behind another server."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.model import ModelError


@dataclass(eq=False)
class UpstreamError(ModelError):
    url: str
    reason: str
    code = "upstream_failed"
    title = "The model's server failed"
    message = "The model's server at {url} failed: {reason}. See that server's log."
    exit_code = 37


@dataclass(eq=False)
class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"
    title = "The model's server does not answer"
    message = (
        "The model's server at {url} does not answer: {reason}. Check that it runs, and that "
        "HEALER_ENGINE_URL is its address; then send the image again."
    )
    retryable = True


@dataclass(eq=False)
class UpstreamBusy(UpstreamError):
    code = "upstream_busy"
    title = "The model's server is busy"
    message = "The model's server at {url} is busy: {reason}. Send the image again in a moment."
    retryable = True


@dataclass(eq=False)
class UpstreamKeyRejected(UpstreamError):
    code = "upstream_key_rejected"
    title = "The model's server rejects the key"
    message = (
        "The model's server at {url} rejects HEALER_ENGINE_KEY: {reason}. Set it to a key that "
        "server accepts."
    )
    exit_code = 38


@dataclass(eq=False)
class UpstreamModelUnknown(UpstreamError):
    code = "upstream_model_unknown"
    title = "The model's server does not have the model"
    message = (
        "The model's server at {url} does not serve what is asked for: {reason}. Set "
        "HEALER_ENGINE_MODEL to a name it lists, and HEALER_ENGINE_URL to where its list lies, "
        "without /models at the end."
    )
    exit_code = 39


@dataclass(eq=False)
class UpstreamUnsuited(UpstreamError):
    code = "upstream_unsuited"
    title = "The model's server cannot be read"
    message = (
        "The model's server at {url} does not answer as Healer needs: {reason}. It must speak "
        "OpenAI's /chat/completions with images and top_logprobs, of a model that sees."
    )
    exit_code = 39


@dataclass(eq=False)
class UpstreamChanged(UpstreamError):
    code = "upstream_changed"
    title = "The model's server serves something else now"
    message = (
        "The model's server at {url} is not what it was when Healer met it: {reason}. Ask again in "
        "a moment; the service meets it anew first, and checks that its calibration fits."
    )
    exit_code = 39
    retryable = True


@dataclass(eq=False)
class UpstreamUncalibrated(UpstreamError):
    code = "upstream_uncalibrated"
    title = "The model's server serves something without a calibration"
    message = (
        "The calibration is not one for what the server at {url} serves: {reason}. Let it serve "
        "the former model again, or fit a calibration for this one with `healer calibrate`; the "
        "service looks for either every few seconds."
    )
    exit_code = 39
