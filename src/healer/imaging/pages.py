"""Files of several pictures: never one of them for all."""

from __future__ import annotations

from healer.errors import UnsupportedFormat

ADVICE = (
    "Choose one with the form field page (on the command line: --page N), or send each as a file "
    "of its own."
)


def several_pages(format_: str, count: int) -> UnsupportedFormat:
    return UnsupportedFormat(f"a {format_} of {count:,} pages or frames of full size", ADVICE)
