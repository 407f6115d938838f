from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from healer.errors import (
    DatasetDamaged,
    DatasetNotFound,
    DatasetUnreachable,
    DownloadRefused,
)
from healer.evaluation.fetch import fetch, locate
from healer.evaluation.published import PUBLISHED, LabelMapping, PublishedArchive, PublishedDataset
from tests.evaluation.tiles import foldered


class Server(ThreadingHTTPServer):
    """Serves `files` with ranges; breaks off after `most` bytes once where that is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.most: int | None = None
        self.ranges: list[str | None] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.files.get(self.path.lstrip("/"))
        range_header = self.headers.get("Range")
        self.server.ranges.append(range_header)
        if data is None:
            self.send_error(404)
            return
        start = int(range_header.removeprefix("bytes=").rstrip("-")) if range_header else 0
        body = data[start:]
        self.send_response(206 if range_header else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.most is not None:
            body, self.server.most = body[: self.server.most], None
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def served(
    server: Server, known: PublishedDataset, name: str, data: bytes, checksum: str | None
) -> PublishedDataset:
    server.files[name] = data
    return replace(known, archive=PublishedArchive(server.url(name), checksum=checksum))


@pytest.fixture
def zipped(tmp_path: Path) -> bytes:
    folder, file = foldered(tmp_path / "source", each=3), tmp_path / "source.zip"
    with zipfile.ZipFile(file, "w") as out:
        for tile in folder.rglob("*.png"):
            names = {"adenocarcinoma": "TUM", "normal": "NORM"}
            out.write(tile, f"CRC-VAL-HE-7K/{names[tile.parent.name]}/{tile.name}")
    return file.read_bytes()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def quiet(_done: int, _total: int | None) -> None:
    pass


def test_a_zip_is_fetched_checked_and_unpacked(
    server: Server, zipped: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = served(server, PUBLISHED["crc-val-he-7k"], "CRC.zip", zipped, sha256(zipped))
    monkeypatch.setitem(PUBLISHED, known.name, known)
    messages: list[str] = []
    for _ in range(2):
        dataset = locate(
            known.name,
            LabelMapping(),
            messages.append,
            quiet,
            download=True,
            folder=tmp_path / "data",
        )
        assert len(dataset.items) == 6
        assert dataset.name == known.name
    assert len(server.ranges) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == [known.name]
    assert known.licence in messages[0]


def test_nothing_is_fetched_unless_requested(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"--download.*CC BY 4\.0"):
        locate("crc-val-he-7k", LabelMapping(), print, quiet, folder=tmp_path)
    assert server.ranges == []


def test_a_download_goes_on_where_it_broke_off(
    server: Server, zipped: bytes, tmp_path: Path
) -> None:
    known = served(server, PUBLISHED["crc-val-he-7k"], "CRC.zip", zipped, sha256(zipped))
    server.most = 1000
    with pytest.raises(DatasetUnreachable, match="goes on where it stopped"):
        fetch(known, tmp_path / "data", print, quiet)
    assert fetch(known, tmp_path / "data", print, quiet).is_dir()
    assert server.ranges == [None, "bytes=1000-"]


def test_another_checksum_is_refused_and_the_file_deleted(
    server: Server, zipped: bytes, tmp_path: Path
) -> None:
    known = served(server, PUBLISHED["crc-val-he-7k"], "CRC.zip", zipped, "md5:" + "0" * 32)
    with pytest.raises(DatasetDamaged, match=r"md5 [0-9a-f]{32}, not 0{32}"):
        fetch(known, tmp_path / "data", print, quiet)
    assert list((tmp_path / "data").iterdir()) == []


def test_without_a_known_checksum_the_computed_one_is_reported(
    server: Server, zipped: bytes, tmp_path: Path
) -> None:
    known = served(server, PUBLISHED["crc-val-he-7k"], "CRC.zip", zipped, None)
    messages: list[str] = []
    fetch(known, tmp_path / "data", messages.append, quiet)
    assert f"computed sha256 {sha256(zipped).removeprefix('sha256:')}" in messages[1]


def test_more_than_announced_is_refused(server: Server, zipped: bytes, tmp_path: Path) -> None:
    known = served(server, PUBLISHED["crc-val-he-7k"], "CRC.zip", zipped, sha256(zipped))
    assert known.archive
    small = replace(known, archive=replace(known.archive, size_bytes=100))
    with pytest.raises(DatasetDamaged, match="larger than 100 bytes"):
        fetch(small, tmp_path / "data", print, quiet)
    assert list((tmp_path / "data").iterdir()) == []


def test_pathmnist_stays_one_file(server: Server, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "p.npz",
        test_images=np.zeros((2, 28, 28, 3), np.uint8),
        test_labels=np.array([[8], [0]]),
    )
    data = (tmp_path / "p.npz").read_bytes()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    known = served(server, PUBLISHED["pathmnist"], "pathmnist.npz", data, f"md5:{md5}")
    assert fetch(known, tmp_path / "data", print, quiet).name == "pathmnist.npz"


def test_a_publisher_that_does_not_have_it_is_reported(server: Server, tmp_path: Path) -> None:
    known = replace(PUBLISHED["crc-val-he-7k"], archive=PublishedArchive(server.url("gone.zip")))
    with pytest.raises(DatasetUnreachable, match="404"):
        fetch(known, tmp_path, print, quiet)


@pytest.mark.parametrize("name", ["ebhi-seg", "lc25000"])
def test_what_healer_cannot_fetch_is_reported_with_the_publishers_page(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(DownloadRefused, match="https://"):
        fetch(PUBLISHED[name], tmp_path, print, quiet)


def test_an_archive_of_ones_own_is_unpacked_once(zipped: bytes, tmp_path: Path) -> None:
    file = tmp_path / "my-tiles.zip"
    file.write_bytes(zipped)
    messages: list[str] = []
    for _ in range(2):
        dataset = locate(
            str(file), LabelMapping(), messages.append, quiet, folder=tmp_path / "data"
        )
        assert len(dataset.items) == 6
    assert len(messages) == 1
