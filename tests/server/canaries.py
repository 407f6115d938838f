"""Pictures and requests that carry a canary in every place where a name could stand."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin

from healer.screening.screener import known_tile

CANARY = "Zq7Canary"
Header = tuple[str, str]


def canary(place: str) -> str:
    return f"{CANARY}-{place}"


def forms_of(word: str) -> Iterator[bytes]:
    """As it might stand somewhere: as it is, in UTF-16, in base64 at any offset, in hexadecimal."""
    for raw in (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be")):
        yield raw.lower()
        yield raw.hex().encode()
        for offset in range(3):
            # Without the ends, which depend on what stands beside it.
            yield base64.b64encode(b"\0" * offset + raw)[4:-4].lower()


def tile() -> Image.Image:
    return Image.fromarray(known_tile().pixels)


def exif() -> Image.Exif:
    tags = Image.Exif()
    base = ExifTags.Base
    for tag in (
        base.ImageDescription, base.DocumentName, base.Make, base.Model, base.Software,
        base.DateTime, base.Artist, base.HostComputer, base.Copyright, base.ImageID,
    ):  # fmt: skip
        tags[tag] = canary(tag.name)
    for tag in (base.XPTitle, base.XPComment, base.XPAuthor, base.XPKeywords, base.XPSubject):
        tags[tag] = canary(tag.name).encode("utf-16-le")
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    inner[base.UserComment] = b"ASCII\0\0\0" + canary("UserComment").encode()
    for tag in (base.CameraOwnerName, base.BodySerialNumber, base.ImageUniqueID, base.LensModel):
        inner[tag] = canary(tag.name)
    gps = tags.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSAreaInformation] = b"ASCII\0\0\0" + canary("gps").encode()
    gps[ExifTags.GPS.GPSMapDatum] = canary("datum")
    return tags


def xmp() -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'about="{canary("xmp")}">{canary("xmp-text")}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def icc() -> bytes:
    """A profile whose description is the canary, in place of one as long."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    known, ours = ("sRGB built-in".encode("utf-16-be"), f"{CANARY}icc_".encode("utf-16-be"))
    assert known in profile
    assert len(known) == len(ours)
    return profile.replace(known, ours)


def saved(form: str, **options: object) -> bytes:
    buffer = BytesIO()
    tile().save(buffer, form, **options)
    return buffer.getvalue()


def as_png() -> bytes:
    texts = PngImagePlugin.PngInfo()
    for name in ("Title", "Author", "Description", "Comment", CANARY):
        texts.add_text(name, canary(name))
    texts.add_text("Warning", canary("ztxt"), zip=True)
    texts.add_itxt("Source", canary("itxt"), lang=CANARY, tkey=canary("tkey"))
    texts.add_itxt("XML:com.adobe.xmp", xmp().decode())
    texts.add(b"caNa", canary("chunk").encode())
    return saved("PNG", pnginfo=texts, exif=exif(), icc_profile=icc())


def as_jpeg() -> bytes:
    picture = saved("JPEG", exif=exif(), icc_profile=icc(), comment=canary("COM"), xmp=xmp())
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + canary("iptc").encode()
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    return picture[:2] + segment + picture[2:]


def as_tiff() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number in (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 65000):
        tags[number] = canary(f"tag-{number}")
        tags.tagtype[number] = 2
    return saved("TIFF", tiffinfo=tags, exif=exif(), icc_profile=icc())


def as_webp() -> bytes:
    return saved("WEBP", lossless=True, exif=exif(), icc_profile=icc(), xmp=xmp())


def as_bmp() -> bytes:
    return saved("BMP") + canary("after the picture").encode()


def as_dicom() -> bytes:
    """Patient's name, id, birth date and address, as a scanner's file has them."""
    elements = b""
    for element in (0x0010, 0x0020, 0x0030, 0x1040):
        value = canary(f"dicom-{element:04x}").encode()
        value += b" " * (len(value) % 2)
        elements += struct.pack("<HH2sH", 0x0010, element, b"LO", len(value)) + value
    return bytes(128) + b"DICM" + elements


MAKERS: dict[str, Callable[[], bytes]] = {
    "png": as_png,
    "jpeg": as_jpeg,
    "tiff": as_tiff,
    "webp": as_webp,
    "bmp": as_bmp,
}

# What a client may say of itself, with any request.
HEADERS: tuple[Header, ...] = (
    ("X-Request-ID", f"{CANARY} is no acceptable one"),
    ("User-Agent", canary("agent")),
    ("Referer", f"https://example.org/{canary('referer')}"),
    ("Cookie", f"{CANARY}={canary('cookie')}"),
    ("X-Forwarded-For", canary("forwarded")),
    ("Forwarded", f"for={canary('forwarded')}"),
    ("traceparent", canary("traceparent")),
    ("tracestate", canary("tracestate")),
    ("baggage", f"patient={canary('baggage')}"),
    ("Accept-Language", canary("language")),
    (f"X-{CANARY}", canary("header")),
)


@dataclass(frozen=True)
class CanaryRequest:
    """One request, and what should come of it."""

    status: int
    method: str = "POST"
    path: str = "/predict"
    headers: tuple[Header, ...] = ()
    body: bytes = field(default=b"", repr=False)
    known: bool = True  # sends a key that is good


def part(head: str, body: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


BOUNDARY = canary("boundary")
FORM: Header = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
EVENTS: Header = ("Accept", "text/event-stream")


def form(
    picture: bytes, *, name: str = "image_file", gate: str = "off", more_fields: bytes = b""
) -> bytes:
    file = f'form-data; name="{name}"; filename="{canary("file")}.png"'
    more = f"Content-Type: image/{CANARY}\r\nX-Part: {canary('part')}"
    return b"".join(
        (
            more_fields,
            part('Content-Disposition: form-data; name="gate"', gate.encode()),
            part(f"Content-Disposition: {file}\r\n{more}", picture),
            f"--{BOUNDARY}--\r\n".encode(),
        )
    )


def predictions() -> Iterator[CanaryRequest]:
    for make in MAKERS.values():
        picture = make()
        yield CanaryRequest(200, headers=(FORM,), body=form(picture))
        yield CanaryRequest(200, headers=(FORM, EVENTS), body=form(picture))
        for part_of in (picture[: len(picture) // 2], picture[: len(picture) // 50]):
            yield CanaryRequest(422, headers=(FORM,), body=form(part_of))
    picture = as_png()
    for query in (f"patient={canary('query')}", f"{CANARY}=1"):
        yield CanaryRequest(422, path=f"/predict?{query}", headers=(FORM,), body=form(picture))
    another = part(f'Content-Disposition: form-data; name="{CANARY}"', canary("value").encode())
    yield CanaryRequest(422, headers=(FORM,), body=form(picture, more_fields=another))
    yield CanaryRequest(415, headers=(FORM, ("Content-Encoding", CANARY)), body=form(picture))
    yield CanaryRequest(415, headers=(FORM,), body=form(as_dicom()))
    yield CanaryRequest(415, headers=(FORM,), body=form(canary("text").encode()))
    yield CanaryRequest(422, headers=(FORM,), body=form(b""))
    yield CanaryRequest(422, headers=(FORM,), body=form(picture, name=CANARY))
    yield CanaryRequest(422, headers=(FORM,), body=form(picture, gate=CANARY))
    yield CanaryRequest(400, headers=(FORM, ("X-Request-Timeout", CANARY)), body=form(picture))
    yield CanaryRequest(401, headers=(FORM,), body=form(picture), known=False)
    for name, value in (
        ("Authorization", f"Bearer {canary('bearer')}"),
        ("Authorization", f"Bearer hk_{canary('key')}"),
        ("Authorization", f"Basic {canary('basic')}"),
        ("X-API-Key", canary("key")),
    ):
        yield CanaryRequest(401, headers=(FORM, (name, value)), body=form(picture), known=False)


def misshapen() -> Iterator[CanaryRequest]:
    whole = form(as_png())
    unnamed = whole.replace(b'name="gate"', b"")
    yield CanaryRequest(400, headers=(FORM,), body=unnamed)
    yield CanaryRequest(400, headers=(FORM,), body=CANARY.encode() + whole)
    yield CanaryRequest(
        400, headers=(FORM,), body=whole.replace(b"X-Part:", b"X-\x01" + CANARY.encode())
    )
    yield CanaryRequest(
        400, headers=(FORM,), body=whole.replace(b"Content-Disposition", CANARY.encode())
    )
    yield CanaryRequest(
        400, headers=(("Content-Type", f"multipart/form-data; {CANARY}"),), body=whole
    )
    yield CanaryRequest(415, headers=(("Content-Type", f"text/{CANARY}"),), body=whole)
    yield CanaryRequest(404, "GET", f"/{canary('path')}/{CANARY}.png")
    yield CanaryRequest(405, CANARY.upper(), "/predict")
    yield CanaryRequest(431, headers=(("Cookie", CANARY * 2000),))


def reviews() -> Iterator[CanaryRequest]:
    json = ("Content-Type", "application/json")
    for body in (
        f'{{"request_id": "{CANARY}", "agrees": "{CANARY}"}}',
        f'{{"request_id": "{CANARY}", "agrees": true, "{CANARY}": "{CANARY}"}}',
        f'{{"request_id": "{CANARY * 20}", "agrees": true}}',
        f'{{"request_id": "a", "agrees": true, "note": "{CANARY * 200}"}}',
        f'{{"{CANARY}": ',
        f"{CANARY}",
    ):
        yield CanaryRequest(422, path="/reviews", headers=(json,), body=body.encode())
    unknown = f'{{"request_id": "{CANARY}", "agrees": true, "note": "{CANARY}"}}'
    yield CanaryRequest(404, path="/reviews", headers=(json,), body=unknown.encode())
    yield CanaryRequest(413, path="/reviews", headers=(json,), body=CANARY.encode() * 4000)
    plain = ("Content-Type", f"text/{CANARY}")
    yield CanaryRequest(422, path="/reviews", headers=(plain,), body=CANARY.encode())


def everything() -> Iterator[CanaryRequest]:
    yield from predictions()
    yield from misshapen()
    yield from reviews()
