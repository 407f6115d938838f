r"""Names of files that may be no UTF-8.

Such a name reaches Python with lone surrogates (PEP 383) and opens its file as it is. What is
written for others is escaped: byte FF becomes the four characters `\xff`.
"""

from __future__ import annotations

import re

SURROGATES = re.compile("[\ud800-\udfff]")


def escaped(text: str) -> str:
    """`text` as UTF-8 can hold it; unchanged where it can."""
    return SURROGATES.sub(lambda found: _escape(found[0]), text)


def json_safe(document: str) -> str:
    r"""JSON that UTF-8 can hold: a lone surrogate is written `\udcff`, as JSON escapes it, and
    comes back as it was."""
    return document.encode("utf-8", "backslashreplace").decode()


def to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def from_bytes(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _escape(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
