"""What a file claims to be, from its first bytes: enough to say why it is refused."""

from __future__ import annotations

_PREFIXES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop (PSD)",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"<svg": "SVG",
    b"PK\x03\x04": "a ZIP archive",
}
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}


def name_of(data: bytes) -> str | None:
    """The format's name, or None where the first bytes are no known signature."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12])
    if data[128:132] == b"DICM":
        return "DICOM"
    return next((name for prefix, name in _PREFIXES.items() if data.startswith(prefix)), None)
