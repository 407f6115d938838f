"""What is no picture, or several things at once, or a picture and odd."""

from __future__ import annotations

import io
import zipfile
from functools import partial

import numpy as np
from PIL import Image

from tests.images.hostile.parts import (
    ANSWERED,
    EXTENSIONS,
    FORMATS,
    LOSSLESS,
    Corpus,
    Hostile,
    case,
    encode,
    flat,
    good,
    noise,
    tissue,
)
from tests.images.hostile.tiff import pages

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (each + 1, b"&l%d;" % each * 10) for each in range(20))
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">' + LAUGHS + b"]><svg>&l20;</svg>"


def corpus() -> Corpus:
    yield from not_pictures()
    yield from named_wrongly()
    yield from polyglots()
    yield from cut()
    yield from shapes()
    yield from profiles()
    yield from unread()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("tile.png"), good("PNG"))
    return buffer.getvalue()


def not_pictures() -> Corpus:
    group, unknown, unsupported = "not a picture", "not_an_image", "unsupported_format"
    yield case(group, "nothing", "empty_file", bytes)
    for size in (1, 16, 4096, 5_000_000):
        yield case(group, f"{size} zeros", unknown, bytes, size)
        yield case(group, f"{size} random bytes", unknown, noise, size)
    yield case(group, "an XML entity bomb", unknown, bytes, ENTITIES)
    for name, data in {
        "text": b"dear colleague",
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "JSON": b"{" * 100_000,
        "a Windows program": b"MZ" + noise(3000),
        "a Linux program": b"\x7fELF" + noise(3000),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n(ls) run",
        "an icon": b"\0\0\1\0\1\0" + noise(500),
    }.items():
        yield case(group, name, unknown, bytes, data)
    for name, data in {
        "SVG with an entity bomb": b"<svg>" + ENTITIES,
        "PDF": b"%PDF-1.7\n" + noise(3000),
        "DICOM": bytes(128) + b"DICM" + noise(3000),
        "HEIC": b"\0\0\0\x18ftypheic" + noise(3000),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + noise(3000),
        "Photoshop": b"8BPS" + noise(3000),
        "a ZIP archive": zipped(),
    }.items():
        yield case(group, name, unsupported, bytes, data)


def named_wrongly() -> Corpus:
    for format_, claimed in zip(FORMATS, (*FORMATS[1:], FORMATS[0]), strict=True):
        filename = f"tile.{EXTENSIONS[claimed]}"
        yield Hostile(
            "wrong name", f"{format_} as {filename}", partial(good, format_), (ANSWERED,), filename
        )
    for name, filename in {
        "a way up": "../../../../etc/passwd",
        "200 letters": "a" * 200 + ".png",
        "a program": "tile.exe",
        "signs": "ta\u202egnp.\u00e9\U0001f9ec;'<b>",
    }.items():
        yield Hostile("wrong name", name, partial(good, "PNG"), (ANSWERED,), filename)
    name = "a" * 5000 + ".png"
    yield Hostile("wrong name", "5,000 letters", partial(good, "PNG"), ("malformed_form",), name)


def polyglots() -> Corpus:
    group = "two things at once"
    html = b"<html><script>alert(1)</script>"
    for name, data in {
        "PNG, then ZIP": good("PNG") + zipped(),
        "JPEG, then HTML": good("JPEG") + html,
        "JPEG with HTML in a comment": good("JPEG")[:2]
        + b"\xff\xfe\0\x21"
        + html
        + good("JPEG")[2:],
        "PNG, then JPEG": good("PNG") + good("JPEG"),
        "BMP, then PDF": good("BMP") + b"%PDF-1.7",
    }.items():
        yield case(group, name, ANSWERED, bytes, data)
    yield case(group, "PDF, then PNG", "unsupported_format", bytes, b"%PDF-1.7\n" + good("PNG"))
    yield case(group, "ZIP, then PNG", "unsupported_format", bytes, zipped() + good("PNG"))
    yield case(group, "HTML, then JPEG", "not_an_image", bytes, html + good("JPEG"))


def cut() -> Corpus:
    """Each format, at every kilobyte."""
    for format_ in FORMATS:
        whole = good(format_)
        for end in (*range(1024, len(whole), 1024), len(whole) - 1 - len(whole) % 1024 // 2):
            yield case(
                "cut short", f"{format_} after {end} bytes", "truncated_image", bytes, whole[:end]
            )


def shapes() -> Corpus:
    for format_ in FORMATS:
        yield case("shape", f"{format_}, 1 × 1", ANSWERED, encode, flat(1, 1), format_)
    for format_ in ("PNG", "TIFF", "BMP"):
        for size in [(1, 100_000), (100_000, 1)]:
            name = f"{format_}, {size[0]} × {size[1]}"
            yield case("shape", name, ANSWERED, encode, flat(*size), format_)
    yield case("animated", "GIF", "unsupported_format", encode, tissue(), "GIF")
    yield case("animated", "TIFF, two pages", "unsupported_format", pages)


def profiles() -> Corpus:
    group = "broken colour profile"
    for format_ in FORMATS[:-1]:
        for name, profile in {
            "noise": noise(3000),
            "no bytes": b"",
            "a megabyte": noise(900_000),
        }.items():
            yield case(group, f"{format_}, {name}", ANSWERED, profiled, format_, profile)


def profiled(format_: str, profile: bytes) -> bytes:
    return encode(tissue(), format_, icc_profile=profile, **LOSSLESS.get(format_, {}))


def unread() -> Corpus:
    group = "unread pixels"
    height = np.zeros((64, 64), np.float32)
    yield case(
        group, "TIFF, floating point", "unsupported_format", encode, Image.fromarray(height), "TIFF"
    )
    lab = Image.new("LAB", (64, 64))
    yield case(group, "TIFF, CIELAB", "unsupported_format", encode, lab, "TIFF")
