"""Forms, as a browser sends them."""

from __future__ import annotations

from functools import cache

from tests.images.hostile.parts import encode, tissue

BOUNDARY = b"----healer"
TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"
TYPES = (
    TYPE,
    "multipart/form-data",
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary="' + "b" * 3000 + '"',
    "multipart/form-data; boundary=\xe9",
    "multipart/form-data; charset=utf-16; boundary=----healer",
    "multipart/mixed; boundary=----healer",
)


def part(disposition: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = (b"Content-Disposition: form-data; " + disposition, *headers, b"", body, b"")
    return b"--" + BOUNDARY + b"\r\n" + b"\r\n".join(lines)


@cache
def seeds() -> tuple[bytes, ...]:
    picture = encode(tissue(16), "PNG")
    file = part(b'name="image_file"; filename="tile.png"', picture, b"Content-Type: image/png")
    gate = part(b'name="gate"', b"warn")
    end = b"--" + BOUNDARY + b"--\r\n"
    odd = part(b"name=image_file; filename*=UTF-8''%e2%82%ac.png", picture)
    text = part(b'name="image_file"', b"not a file", b"Content-Transfer-Encoding: base64")
    return (file + gate + end, gate + file + end, odd + end, text + gate + end, file * 3 + end)
