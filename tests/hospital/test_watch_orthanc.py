"""`healer watch` on a real archive: found, read, stored once, and read back by others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import httpx
import pytest

pytest.importorskip("highdicom", reason="watching needs healer[hospital]")
pytest.importorskip("openslide", reason="whole slides need healer[slides]")
pytest.importorskip("sqlalchemy", reason="the ledger needs healer[audit]")

import highdicom
import pydicom
import shapely

from healer.audit.chain import intact
from healer.audit.store import Store
from healer.slides.reader import Area
from tests.hospital.orthanc import PASSWORD, USER, Orthanc, free_port, running
from tests.hospital.slides import MM_PER_PX, PATIENT, PATIENT_ID
from tests.slides.glass import Patch, glass_with, write_dicom

SIDE, TUMOUR = 1792, Area(448, 448, 896, 896)
RESULTS = {"SR", "OT", "SEG", "ANN"}
SECRETS = (b"CANARY-secret", PATIENT.encode(), PATIENT_ID.encode())


def series(folder: Path, seed: int = 0) -> Path:
    """A small slide with a tumour in its middle."""
    picture = glass_with((SIDE, SIDE), [Patch("adenocarcinoma", TUMOUR)], seed)
    return write_dicom(folder, picture)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def command(server: Orthanc, out: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "healer", "watch", "--dicomweb", server.dicomweb),
        *("--out", str(out), "--settle", "0", "--every", "1", *options),
    ]


def environment(**more: str) -> dict[str, str]:
    secret = {"HEALER_DICOMWEB_USER": USER, "HEALER_DICOMWEB_PASSWORD": PASSWORD}
    return {**os.environ, **secret, "HEALER_LOG_LEVEL": "debug", **more}


def watch_once(server: Orthanc, out: Path, **more: str) -> bytes:
    """What it printed and logged, with `more` in its environment."""
    done = subprocess.run(
        command(server, out, "--once"), env=environment(**more), capture_output=True, check=True
    )
    return done.stdout + done.stderr


def results(server: Orthanc) -> list[pydicom.Dataset]:
    held = [pydicom.dcmread(BytesIO(server.file(uid))) for uid in server.instances()]
    return [each for each in held if each.Modality in RESULTS]


def until(holds: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def health(port: int) -> dict[str, object]:
    """Empty while it is not served."""
    try:
        answer: dict[str, object] = httpx.get(f"http://127.0.0.1:{port}/health").json()
    except httpx.TransportError:
        return {}
    return answer


@contextmanager
def watching(server: Orthanc, out: Path) -> Iterator[int]:
    """The port of its /health."""
    at = free_port()
    process = subprocess.Popen(command(server, out, "--port", str(at)), env=environment())
    try:
        yield at
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True)
    made = subprocess.run(
        [
            shutil.which("mount") or "/bin/mount",
            *("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount") or "/bin/umount", folder], check=True)


def test_results_lie_in_the_archive_once_and_in_the_right_place(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = series(tmp_path / "series")
    with running(tmp_path / "orthanc") as server:
        server.add(files_of(folder))
        log = watch_once(server, out)
        first = results(server)
        assert {each.Modality for each in first} == RESULTS
        log += watch_once(server, out)
        assert len(results(server)) == len(first)
    source = pydicom.dcmread(files_of(folder)[0], stop_before_pixels=True)
    for each in first:
        assert each.StudyInstanceUID == source.StudyInstanceUID
        assert (str(each.PatientName), each.PatientID) == (PATIENT, PATIENT_ID)
        assert each.SOPInstanceUID.startswith("2.25.")
    (report,) = [each for each in first if each.Modality == "SR"]
    assert region_overlap(report) > 0.6
    assert b"series done" in log
    written = [file for file in out.rglob("*") if file.is_file() and file.suffix != ".dcm"]
    written = [file for file in written if file.name != "fhir.json"]
    assert {file.name for file in written} >= {"watch.db", "slide.json", "report.html"}
    for secret in SECRETS:
        assert secret not in log
        assert [file.name for file in written if secret in file.read_bytes()] == []


def region_overlap(report: pydicom.Dataset) -> float:
    """Of the first region with what was planted, by mm."""
    stream = BytesIO()
    report.save_as(stream, enforce_file_format=True)
    content = highdicom.sr.srread(BytesIO(stream.getvalue())).content
    groups = content.get_planar_roi_measurement_groups()  # type: ignore[attr-defined]
    first = next(each for each in groups if each.tracking_identifier == "cancer 1")
    edges = [-(edge - 0.5) * MM_PER_PX for edge in (TUMOUR.right, TUMOUR.x)]
    planted = shapely.box(edges[0], edges[0], edges[1], edges[1])
    outline = shapely.Polygon(first.roi.value[:, :2])
    return float(outline.intersection(planted).area / outline.union(planted).area)


@pytest.mark.slow
def test_killed_again_and_again_it_stores_and_records_all_and_nothing_twice(tmp_path: Path) -> None:
    out, log = tmp_path / "out", f"sqlite:///{tmp_path / 'audit.db'}"
    with running(tmp_path / "orthanc") as server:
        for number in range(3):
            server.add(files_of(series(tmp_path / f"series-{number}", number)))
        sent = len(server.instances())
        stages: list[Callable[[], bool]] = [
            lambda: any(out.glob("*/parts/*.parquet")),
            lambda: any(out.glob("*/slide.json")),
            lambda: len(server.instances()) > sent,
        ]
        for reached in stages:
            process = subprocess.Popen(
                command(server, out),
                env=environment(HEALER_AUDIT=log),
                stderr=subprocess.DEVNULL,
            )
            until(reached)
            process.send_signal(signal.SIGKILL)
            process.wait()
        watch_once(server, out, HEALER_AUDIT=log)
        replayed = subprocess.run(
            [
                *(sys.executable, "-m", "healer", "audit", "replay"),
                *("--dicomweb", server.dicomweb, "--slide", series_of(tmp_path / "series-0")),
            ],
            env=environment(HEALER_AUDIT=log),
            check=False,
        )
        assert replayed.returncode == 0
        held = results(server)
    reports = [each for each in held if each.Modality == "SR"]
    assert len(reports) == 3
    assert len({each.StudyInstanceUID for each in reports}) == 3
    assert len({(each.StudyInstanceUID, each.Modality) for each in held}) == len(held) == 3 * 4
    with closing(Store(log, read_only=True)) as store:
        recorded = [intact(link).content for link in store.links()]
    assert [each["kind"] for each in recorded] == ["slide_answer"] * 3
    read = {series_of(tmp_path / f"series-{number}") for number in range(3)}
    assert {each["slide"] for each in recorded} == read
    assert not any(secret in (tmp_path / "audit.db").read_bytes() for secret in SECRETS)


def series_of(folder: Path) -> str:
    source = pydicom.dcmread(files_of(folder)[0], stop_before_pixels=True)
    return str(source.SeriesInstanceUID)


def test_an_archive_that_goes_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "orthanc", port) as server:
        server.add(files_of(series(tmp_path / "series")))
    with watching(server, tmp_path / "out") as at:
        until(lambda: health(at).get("problem") == "dicomweb_unreachable")
        with running(tmp_path / "orthanc", port):
            until(lambda: health(at).get("status") == "ok")
            until(lambda: "'done': 1" in str(health(at)))
            assert {each.Modality for each in results(server)} == RESULTS
        metrics = httpx.get(f"http://127.0.0.1:{at}/metrics").text
        assert 'healer_watch_series{state="done"} 1.0' in metrics
        said = metrics + json.dumps(health(at))
        assert not any(secret.decode() in said for secret in SECRETS)


def test_an_archive_whose_disk_is_full_is_waited_for(tmp_path: Path) -> None:
    """Debian's Orthanc then answers 200 and keeps nothing, or fails where its index is full too."""
    disk = tmp_path / "orthanc" / "storage"
    with small_disk(disk, "16m"), running(tmp_path / "orthanc") as server:
        server.add(files_of(series(tmp_path / "series")))
        fill(disk / "filler")
        with watching(server, tmp_path / "out") as at:
            until(lambda: health(at).get("problem") in ("dicomweb_full", "dicomweb_unreachable"))
            assert results(server) == []
            (disk / "filler").unlink()
            until(lambda: "'done': 1" in str(health(at)))
        held = results(server)
    assert {each.Modality for each in held} == RESULTS
    assert len(held) == len(RESULTS)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))


def test_two_do_not_watch_into_one_folder(tmp_path: Path) -> None:
    with running(tmp_path / "orthanc") as server:
        first = subprocess.Popen(command(server, tmp_path / "out"), env=environment())
        try:
            until((tmp_path / "out" / "watch.db").exists)
            second = subprocess.run(
                command(server, tmp_path / "out", "--once"),
                env=environment(),
                capture_output=True,
                check=False,
            )
        finally:
            first.send_signal(signal.SIGTERM)
            first.wait(60)
    assert second.returncode == 112
    assert b"Another watch uses the folder" in second.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--between", "8pm-6am"), ("--rate", "often"), ("--port", "70000")]
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, option: str, value: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "healer", "watch", "--dicomweb", "https://a.example.org"),
            *("--out", str(tmp_path / "out"), option, value),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert option.encode() in done.stderr
