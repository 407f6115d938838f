"""What is inside a built image: its layers, their sizes, and whether a secret is among them."""

from __future__ import annotations

import json
import mmap
import os
import re
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layer:
    """`size` in bytes, unpacked; `instruction` is the Dockerfile's that made it."""

    size: int
    instruction: str


def layers(archive: Path) -> list[Layer]:
    """Of a docker-archive, the lowest first."""
    with tarfile.open(archive) as image:
        manifest = json.loads(read(image, "manifest.json"))[0]
        history = json.loads(read(image, manifest["Config"]))["history"]
        sizes = [image.getmember(name).size for name in manifest["Layers"]]
    made = [each.get("created_by", "") for each in history if not each.get("empty_layer")]
    return [Layer(size, instruction(by)) for size, by in zip(sizes, made, strict=True)]


def unpack(archive: Path, folder: Path) -> None:
    """Its layers stay tar files, beside its configuration, which holds the history."""
    with tarfile.open(archive) as image:
        image.extractall(folder, filter="data")


def read(image: tarfile.TarFile, name: str) -> bytes:
    member = image.extractfile(name)
    assert member is not None
    return member.read()


def instruction(created_by: str) -> str:
    plain = created_by.removeprefix("/bin/sh -c #(nop) ").split("|")[0].strip()
    if plain == "/bin/sh":
        return "the base"
    return re.sub(r"(dir|file|multi):[0-9a-f]{64} in", r"\1 to", plain)


def places(secret: str, *roots: Path) -> list[Path]:
    """Files, at or below `roots`, that hold the secret in plain or in base64.

    An archive is read as it is on disk, uncompressed, so its layers, configuration and history are
    all searched.
    """
    plain = secret.encode()
    expected = (plain, b64encode(plain).rstrip(b"="))
    return [path for root in roots for path in files(root) if holds(path, expected)]


def files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def holds(path: Path, expected: tuple[bytes, ...]) -> bool:
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(each) >= 0 for each in expected)
