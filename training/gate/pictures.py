"""Pictures that are not histology, from packages that ship some (`pictures.sh` fetches them)."""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]
SMALLEST, LARGEST = 96, 1024  # pixels: smaller pictures are left out, larger ones reduced
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tga", ".tif"}
KINDS = {
    "gnome-backgrounds": "wallpaper",
    "mate-backgrounds": "wallpaper",
    "ukui-wallpapers": "wallpaper",
    "plasma-workspace-wallpapers": "wallpaper",
    "lomiri-wallpapers-16.04": "wallpaper",
    "lomiri-wallpapers-20.04": "wallpaper",
    "tuxpaint-stamps-default": "object on white",
    "scratch": "illustration",
    "openarena-data": "surface",
    "gimp-data": "surface",
}
NAMED = {
    "ihc": "immunohistochemistry",
    "retina": "medical photograph",
    "microaneurysms": "medical photograph",
    "cell": "other microscopy",
    "phantom": "radiograph",
    "page": "document",
    "text": "document",
    "brick": "surface",
    "grass": "surface",
    "gravel": "surface",
}


MODALITIES = {"CT", "MR", "US", "NM"}


@dataclass(frozen=True)
class Picture:
    """`source` is what a split must never part; `package` where the picture came from."""

    kind: str
    package: str
    source: str
    pixels: Pixels


def gather(folder: Path) -> list[Picture]:
    """Every picture under FOLDER/<package>/, one per source, in a fixed order."""
    found: dict[str, Picture] = {}
    for package, kind in KINDS.items():
        for name, read in _files(folder / package):
            _keep(found, kind, package, name, read)
    for name, read in _files(folder / "scikit-image"):
        _keep(found, NAMED.get(Path(name).stem, "photograph"), "scikit-image", name, read)
    for name, pixels in _radiology(folder / "pydicom"):
        if any(np.array_equal(pixels, other.pixels) for other in found.values()):
            continue  # one picture under several transfer syntaxes
        found[name] = Picture("radiograph", "pydicom", name, pixels)
    for name, pixels in _bundled():
        found[name] = Picture("photograph", "scikit-learn", name, pixels)
    return list(found.values())


def pictures_in(folder: Path) -> list[tuple[str, Pixels]]:
    """Every different picture under a folder, whatever it shows."""
    decoded = ((name, _decoded(read())) for name, read in _files(folder))
    different = {pixels.tobytes(): (name, pixels) for name, pixels in decoded if pixels is not None}
    return list(different.values())


def _keep(
    found: dict[str, Picture], kind: str, package: str, name: str, read: Callable[[], bytes]
) -> None:
    source = f"{package}/{_source_of(name)}"
    if source in found:
        return
    pixels = _decoded(read())
    if pixels is not None:
        found[source] = Picture(kind, package, source, pixels)


def _source_of(name: str) -> str:
    """Wallpapers come in several sizes and shades: those are one source."""
    parts = Path(name).parts
    if "contents" in parts:
        return "/".join(parts[: parts.index("contents")])
    return str(Path(name).with_suffix("")).removesuffix("-d").removesuffix("-l")


def _files(folder: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".pk3":
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.startswith("textures/") and Path(name).suffix in ENDINGS:
                        data = archive.read(name)
                        yield name, lambda data=data: data  # type: ignore[misc]
        elif path.suffix.lower() in ENDINGS and path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)), path.read_bytes


def _decoded(data: bytes) -> Pixels | None:
    try:
        image = Image.open(io.BytesIO(data))
        if min(image.size) < SMALLEST:
            return None
        image.draft("RGB", (LARGEST, LARGEST))
        flat = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    white = Image.new("RGBA", flat.size, "white")
    return _reduced(Image.alpha_composite(white, flat).convert("RGB"))


def _reduced(image: Image.Image) -> Pixels:
    if max(image.size) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _radiology(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """CT, MR, ultrasound and scintigraphy test files, windowed to their own range."""
    if not folder.is_dir():
        return
    sys.path.insert(0, str(folder))
    pydicom = import_module("pydicom")  # unpacked, not installed

    for path in sorted((folder / "pydicom/data/test_files").glob("*.dcm")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                file = pydicom.dcmread(path)
                frames = file.pixel_array if file.Modality in MODALITIES else None
        except Exception:  # noqa: S112 - damaged on purpose, or needs a codec
            continue
        if frames is None:
            continue
        frame = np.asarray(frames, np.float32)
        frame = (
            frame
            if frame.shape[-1] == 3 and frame.ndim == 3
            else frame.reshape(-1, *frame.shape[-2:])[0]
        )
        if min(frame.shape[:2]) < 60:
            continue
        low, high = np.percentile(frame, (1, 99))
        grey = ((frame - low) / max(high - low, 1) * 255).clip(0, 255).astype(np.uint8)
        yield f"pydicom/{path.stem}", _reduced(Image.fromarray(grey).convert("RGB"))


def _bundled() -> Iterator[tuple[str, Pixels]]:
    from sklearn.datasets import load_sample_images

    for name, pixels in zip(("china", "flower"), load_sample_images().images, strict=True):
        yield f"scikit-learn/{name}", np.asarray(pixels)
