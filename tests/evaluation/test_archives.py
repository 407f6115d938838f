from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from healer.errors import ArchiveUnsafe, DatasetUnreadable
from healer.evaluation.fetch import unpack


def zipped(file: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(file, "w") as out:
        for name, data in members.items():
            out.writestr(name, data)
    return file


def tarred(file: Path, *infos: tarfile.TarInfo, data: bytes = b"tile") -> Path:
    with tarfile.open(file, "w:gz") as out:
        for info in infos:
            info.size = len(data) if info.isreg() else 0
            out.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return file


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_zip_and_tar_are_unpacked(tmp_path: Path) -> None:
    for archive in (
        zipped(tmp_path / "a.zip", **{"TUM/1.png": b"tile"}),
        tarred(tmp_path / "b.tar.gz", info("TUM", tarfile.DIRTYPE), info("TUM/1.png")),
    ):
        folder = unpack(archive, tmp_path / archive.stem)
        assert (folder / "TUM/1.png").read_bytes() == b"tile"


@pytest.mark.parametrize("name", ["../out.png", "/etc/x.png", "a/../../x", "..\\x", "C:\\x", "C:x"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    box = tmp_path / "box"
    box.mkdir()
    for archive in (
        zipped(box / "a.zip", **{"fine.png": b"1", name: b"2"}),
        tarred(box / "b.tar.gz", info("fine.png"), info(name)),
    ):
        with pytest.raises(ArchiveUnsafe, match="outside the folder"):
            unpack(archive, box / "out")
    assert everything(tmp_path) == {"box", "box/a.zip", "box/b.tar.gz"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tarred(tmp_path / "a.tar.gz", info("a", kind, link="/etc"), info("a/b.png"))
    with pytest.raises(ArchiveUnsafe, match="a link or a device"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, "/etc")
    with pytest.raises(ArchiveUnsafe, match="a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("big.png", bytes(5_000_000))
    with pytest.raises(ArchiveUnsafe, match="size limit"):
        unpack(tmp_path / "a.zip", tmp_path / "out", most_bytes=1_000_000)
    assert everything(tmp_path) == {"a.zip"}


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar.gz", info("a.png"), info("a.png"))
    with pytest.raises(ArchiveUnsafe, match="twice"):
        unpack(archive, tmp_path / "out")


def test_what_is_no_archive_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"Rar!\x1a\x07\x00")
    with pytest.raises(DatasetUnreadable, match="neither a zip nor a tar"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_damaged_archive_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", **{"a.png": bytes(range(256)) * 40})
    data = bytearray(archive.read_bytes())
    data[60:70] = bytes(10)
    archive.write_bytes(data)
    with pytest.raises(DatasetUnreadable):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path) == {"a.zip"}
