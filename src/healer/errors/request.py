"""What a client, or a path on the command line, sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from healer.errors.base import RequestError


@dataclass(eq=False)
class UploadNotMultipart(RequestError):
    code = "upload_not_multipart"
    title = "The upload is not a multipart form"
    message = (
        "The request body is not multipart/form-data. Send the picture as the form field "
        "image_file, for example: curl -F image_file=@tile.png URL."
    )


@dataclass(eq=False)
class MalformedForm(RequestError):
    reason: str
    code = "malformed_form"
    title = "The form cannot be read"
    message = "The multipart form cannot be read ({reason}). Send it again."


@dataclass(eq=False)
class MissingField(RequestError):
    field: str
    code = "missing_field"
    title = "A form field is missing"
    message = "The form has no file in its field {field}. Send the picture there."


@dataclass(eq=False)
class InvalidField(RequestError):
    field: str
    choices: str
    code = "invalid_field"
    title = "A form field has a value that is not known"
    message = "The form field {field} takes one of: {choices}. Leave it out for the default."


@dataclass(eq=False)
class RepeatedField(RequestError):
    field: str
    count: int
    code = "repeated_field"
    title = "A form field stands there more than once"
    message = (
        "The form has {count} fields named {field}, and Healer does not choose among them. Send "
        "each field once, and each picture in a request of its own."
    )


@dataclass(eq=False)
class UnknownField(RequestError):
    """Unnamed, for a name that a client chose may be a patient's."""

    known: str
    code = "unknown_field"
    title = "A form field is not known"
    message = (
        "The form has a field that Healer does not know. It takes: {known}. Leave out all others."
    )


@dataclass(eq=False)
class UnknownParameter(RequestError):
    known: str
    code = "unknown_parameter"
    title = "The address carries what is not read from there"
    message = (
        "The address carries parameters, behind its question mark, and nothing is read from there. "
        "Send what is meant in the body, whose fields are: {known}."
    )


@dataclass(eq=False)
class BodyEncoded(RequestError):
    code = "body_encoded"
    title = "The body is compressed"
    message = (
        "The body has a Content-Encoding, such as gzip, and Healer reads bodies as they are. Send "
        "it without; pictures are compressed already."
    )


@dataclass(eq=False)
class AddressUnknown(RequestError):
    code = "not_found"
    title = "There is nothing at this address"
    message = (
        "There is nothing at this address. Pictures go to POST /predict; /docs shows every "
        "address, and /openapi.json is the contract."
    )


@dataclass(eq=False)
class MethodNotAllowed(RequestError):
    allowed: str
    code = "method_not_allowed"
    title = "The address does not take this method"
    message = (
        "This address takes {allowed} alone. Pictures go to POST /predict; /docs shows what each "
        "address takes."
    )


@dataclass(eq=False)
class PreflightRefused(RequestError):
    part: str
    methods: str
    headers: str
    code = "preflight_refused"
    title = "A page from elsewhere may not ask this"
    message = (
        "A page from elsewhere may not ask this; not allowed: {part}. The operator names origins "
        "in HEALER_CORS_ORIGINS, as scheme://host:port. Methods may be {methods}, headers "
        "{headers}."
    )


@dataclass(eq=False)
class InvalidTimeout(RequestError):
    code = "invalid_timeout"
    title = "The time-out cannot be read"
    message = (
        "The header X-Request-Timeout takes a number of seconds above 0, such as 30. Leave it out "
        "for the operator's default."
    )


@dataclass(eq=False)
class EmptyFile(RequestError):
    code = "empty_file"
    title = "The file is empty"
    message = "The file holds no bytes. Copy or export it again, and try with that."


@dataclass(eq=False)
class TooManyBytes(RequestError):
    limit_bytes: int
    code = "too_many_bytes"
    title = "The file is too large"
    message = (
        "The upload is larger than {limit_bytes:,} bytes. Send a smaller field of view, or ask "
        "the operator to raise HEALER_MAX_BYTES. Whole slides are answered by `healer slide`, and "
        "by the service where they lie in the folder HEALER_SLIDES."
    )


@dataclass(eq=False)
class FileNotReadable(RequestError):
    reason: str
    code = "file_not_readable"
    title = "The file cannot be read"
    message = "The file cannot be read: {reason}. Check the path and its permissions."


@dataclass(eq=False)
class AddressNotFile(RequestError):
    address: str
    code = "address_not_file"
    title = "This is an address, not a file"
    message = (
        "{address} is an address, and Healer fetches no pictures. Download this one and name the "
        "file, or send it through a pipe (curl -fsSL {address} | healer predict -)."
    )


@dataclass(eq=False)
class FolderWithoutImages(RequestError):
    folder: str
    code = "folder_without_images"
    title = "The folder holds no picture"
    message = (
        "No picture was found in {folder} or below it: there is no file that ends as PNG, JPEG, "
        "TIFF, WebP or BMP files do. Check the path, or name the files themselves."
    )


@dataclass(eq=False)
class OutputNotWritable(RequestError):
    output: str
    reason: str
    code = "output_not_writable"
    title = "The answers cannot be written out"
    message = (
        "{output} cannot be written: {reason}. What was written before stays there. Make room, or "
        "choose another place, and run the command again."
    )


@dataclass(eq=False)
class ImageError(RequestError):
    code = "bad_image"
    title = "The image cannot be read"
    message = "The image cannot be read."


@dataclass(eq=False)
class NotAnImage(ImageError):
    code = "not_an_image"
    title = "The file is not an image"
    message = "The file is not an image that Healer knows. Send PNG, JPEG, TIFF, WebP or BMP."


@dataclass(eq=False)
class UnsupportedFormat(ImageError):
    """`format` names the coding, `advice` is what to send instead. `pages` is how many pages there
    are to choose from, where choosing one may help."""

    format: str
    advice: str = "Send PNG, JPEG, TIFF, WebP or BMP."
    pages: int | None = None
    code = "unsupported_format"
    title = "The image format is not supported"
    message = "The image is {format}. {advice}"


@dataclass(eq=False)
class PageNotFound(ImageError):
    page: int
    pages: int
    code = "page_not_found"
    title = "The file has no such page"
    message = "The file has no page {page}: it holds {pages:,}, counted from 1. Choose one of them."


@dataclass(eq=False)
class TruncatedImage(ImageError):
    reason: str
    code = "truncated_image"
    title = "The image is truncated or damaged"
    message = "The image is truncated or damaged ({reason}). Export or copy it again and resend."


@dataclass(eq=False)
class TooManyPixels(ImageError):
    width: int
    height: int
    limit_pixels: int
    code = "too_many_pixels"
    title = "The image has too many pixels"
    message = (
        "The image is {width} × {height} pixels; at most {limit_pixels:,} are read. Send one "
        "field of view, or ask the operator to raise HEALER_MAX_PIXELS. Whole slides are answered "
        "by `healer slide`, and by the service where they lie in the folder HEALER_SLIDES."
    )


@dataclass(eq=False)
class ImageTooCostly(ImageError):
    reason: str
    code = "image_too_costly"
    title = "The image takes too much to read"
    message = (
        "The image was not read: reading it {reason}. Export one field of view as a plain PNG or "
        "JPEG and send that."
    )


@dataclass(eq=False)
class ImageNotAssessable(ImageError):
    sentences: str
    reasons: tuple[Mapping[str, str | float], ...] = ()
    code = "image_not_assessable"
    title = "The picture cannot be assessed"
    message = (
        "{sentences} Send another field, or send the form field gate=warn (HEALER_GATE, --gate) to "
        "have it answered all the same."
    )
