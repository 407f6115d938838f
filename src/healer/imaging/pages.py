"""Files of several pictures: never one of them for all."""

from __future__ import annotations

from healer.errors import UnsupportedFormat

ADVICE = (
    "Choose one with the form field page (on the command line: --page N), or send each as a file "
    "of its own."
)


def several_pages(format_: str, count: int) -> UnsupportedFormat:
    kind = {"TIFF": "pages", "JPEG": "pictures"}.get(format_, "frames")
    name = {"WEBP": "WebP"}.get(format_, format_)
    return UnsupportedFormat(f"a {name} of {count:,} {kind} of full size", ADVICE)
