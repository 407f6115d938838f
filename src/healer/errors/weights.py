"""Acquiring weights."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class DownloadError(HealerError):
    code = "download_failed"
    title = "The model could not be downloaded"
    message = "The model could not be downloaded."
    exit_code = 10


@dataclass(eq=False)
class TokenMissing(DownloadError):
    model_id: str
    code = "token_missing"
    title = "No Hugging Face token"
    message = (
        "{model_id} needs a Hugging Face token and none is set. Create a read token in your "
        "Hugging Face account settings and pass it as MY_HF_TOKEN (or HF_TOKEN)."
    )
    exit_code = 11


@dataclass(eq=False)
class TokenRejected(DownloadError):
    model_id: str
    code = "token_rejected"
    title = "The hub rejected the token"
    message = (
        "The hub rejected the token when asked for {model_id} (401). Check that MY_HF_TOKEN is "
        "complete, not expired and has read access, or create a new one."
    )
    exit_code = 12


@dataclass(eq=False)
class LicenceNotAccepted(DownloadError):
    model_id: str
    url: str
    code = "licence_not_accepted"
    title = "The model's licence has not been accepted"
    message = (
        "The token is valid but its account has no access to {model_id} (403). Sign in, accept "
        "the terms at {url} and run this again; a fine-grained token also needs permission to "
        "read gated repositories."
    )
    exit_code = 13


@dataclass(eq=False)
class ModelNotFound(DownloadError):
    model_id: str
    code = "model_not_found"
    title = "Unknown model"
    message = "The hub knows no model {model_id}. Check MODEL_ID (owner/name)."
    exit_code = 14


@dataclass(eq=False)
class RevisionNotFound(DownloadError):
    model_id: str
    revision: str
    code = "revision_not_found"
    title = "Unknown revision"
    message = "{model_id} has no revision {revision}. Check MODEL_REVISION (a commit hash)."
    exit_code = 15


@dataclass(eq=False)
class RevisionNotPinned(DownloadError):
    model_id: str
    revision: str
    code = "revision_not_pinned"
    title = "The revision can move"
    message = (
        "MODEL_REVISION={revision} can move, so the same build could hold another {model_id} "
        "tomorrow. Set a commit hash (40 hex digits), or HEALER_ALLOW_UNPINNED=true to accept "
        "that; the manifest will record the commit found."
    )
    exit_code = 16


@dataclass(eq=False)
class HubUnreachable(DownloadError):
    endpoint: str
    reason: str
    code = "hub_unreachable"
    title = "The hub cannot be reached"
    message = (
        "{endpoint} cannot be reached ({reason}). Check the network and proxy, then run this "
        "again: it goes on where it stopped."
    )
    exit_code = 17


@dataclass(eq=False)
class DiskFull(DownloadError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "disk_full"
    title = "Not enough disk space"
    message = (
        "{folder} needs {needed_bytes:,} bytes more and the disk has {free_bytes:,} free. Free "
        "some space or set MODEL_DIR to a larger disk."
    )
    exit_code = 18


@dataclass(eq=False)
class FileDamaged(DownloadError):
    file: str
    reason: str
    code = "file_damaged"
    title = "A file arrived damaged"
    message = (
        "{file} arrived damaged ({reason}) and was deleted. Run this again to fetch it; if it "
        "repeats, look at the proxy or mirror on the way to the hub."
    )
    exit_code = 9


@dataclass(eq=False)
class FolderNotWritable(DownloadError):
    folder: str
    reason: str
    code = "folder_not_writable"
    title = "The model folder cannot be written"
    message = "{folder} cannot be written ({reason}). Set MODEL_DIR to a folder you own."
    exit_code = 19
