"""Slides out of a real archive: the same pixels as from their files, however they are stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="archives need healer[hospital]")
pytest.importorskip("openslide", reason="whole slides need healer[slides]")

import imagecodecs
import pydicom
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    generate_uid,
)

from healer.errors.base import InvalidSettings
from healer.errors.hospital import (
    ArchiveFull,
    ArchiveRefused,
    ArchiveUnreachable,
    HospitalError,
    ResultsRejected,
    SeriesUnknown,
)
from healer.errors.slides import (
    AreaUnreadable,
    NotBrightfield,
    SlideSeriesIncomplete,
    SlideUnsupported,
)
from healer.hospital import web_slide
from healer.hospital.archive import Archive
from healer.hospital.frame_index import index_levels
from healer.hospital.frames import FrameProcess
from healer.hospital.web_slide import WebSlide
from healer.settings.loading import Settings, load_settings
from healer.slides.opening import open_slide
from healer.slides.reader import Area, SlideReader
from tests.hospital.orthanc import PASSWORD, USER, Orthanc, free_port, running
from tests.slides.glass import SLIDES, Patch, Pixels, dicom_level, glass_with, halves

CMU = SLIDES / "cmu-1-dicom"
AREAS = [
    (Area(300, 300, 448, 448), (224, 224)),
    (Area(-50, 2800, 400, 400), (400, 400)),
    (Area(0, 0, 2220, 2967), (138, 185)),
]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running(tmp_path_factory.mktemp("orthanc")) as server:
        server.add(sorted(CMU.glob("*.dcm")))
        yield server


def settings(**more: object) -> Settings:
    return load_settings(**{"dicomweb_user": USER, "dicomweb_password": PASSWORD, **more})


def opened(orthanc: Orthanc, uid: str) -> WebSlide:
    archive = Archive(orthanc.dicomweb, settings())
    return WebSlide(archive, archive.series(uid))


def series_uid(folder: Path) -> str:
    return str(
        pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True).SeriesInstanceUID
    )


def difference(one: SlideReader, other: SlideReader, area: Area, size: tuple[int, int]) -> float:
    """Of what was scanned; where it was is the same."""
    first, second = one.read(area, size), other.read(area, size)
    assert (first[..., 3] == second[..., 3]).all()
    shown = first[..., 3] > 0
    return float(np.abs(first[shown].astype(int) - second[shown]).mean())


@pytest.mark.parametrize(("area", "size"), AREAS)
def test_a_real_series_shows_what_its_files_show(
    orthanc: Orthanc, area: Area, size: tuple[int, int]
) -> None:
    with closing(opened(orthanc, series_uid(CMU))) as web, closing(open_slide(CMU)) as files:
        assert difference(web, files, area, size) < 0.6  # rounding of colours alone
        assert web.info.size == files.info.size
        assert web.info.resolution.x == pytest.approx(files.info.resolution.x)
        assert [each.width for each in web.info.levels] == [
            each.width for each in files.info.levels
        ]


# Tiles at both edges reach past it.
SIZE = (600, 450)


def picture() -> Pixels:
    return glass_with(SIZE, [Patch("adenocarcinoma", Area(100, 80, 300, 250))])


def frames_of(level: Pixels) -> list[Pixels]:
    rows, columns = -(-level.shape[0] // 256), -(-level.shape[1] // 256)
    padded = np.full((rows * 256, columns * 256, 3), 255, np.uint8)
    padded[: level.shape[0], : level.shape[1]] = level
    return [
        padded[top : top + 256, left : left + 256]
        for top in range(0, len(padded), 256)
        for left in range(0, padded.shape[1], 256)
    ]


def levels_of(series: str, photometric: str = "RGB") -> list[pydicom.Dataset]:
    """Two levels, not compressed."""
    made = []
    for number, level in enumerate(halves(picture(), 2)):
        dataset = dicom_level(level, series, 0.5 * 2**number, resampled=number > 0)
        dataset.PhotometricInterpretation = photometric
        put_frames(dataset, [each.tobytes() for each in frames_of(level)], ExplicitVRLittleEndian)
        made.append(dataset)
    return made


def put_frames(dataset: pydicom.Dataset, frames: list[bytes], syntax: pydicom.uid.UID) -> None:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.NumberOfFrames = len(frames)
    is_plain = syntax == ExplicitVRLittleEndian
    dataset.PixelData = b"".join(frames) if is_plain else pydicom.encaps.encapsulate(frames)
    dataset["PixelData"].VR = "OB"


def sparse(datasets: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """Frames in reverse, each with its place, and the last one of the finest level left out."""
    for at, dataset in enumerate(datasets):
        columns = -(-int(dataset.TotalPixelMatrixColumns) // 256)
        size = 256 * 256 * 3
        frames = [
            dataset.PixelData[start : start + size]
            for start in range(0, len(dataset.PixelData), size)
        ]
        places = [divmod(number, columns) for number in range(len(frames))]
        if at == 0:
            frames, places = frames[:-1], places[:-1]
        groups = []
        for row, column in reversed(places):
            position, group = pydicom.Dataset(), pydicom.Dataset()
            position.ColumnPositionInTotalImagePixelMatrix = column * 256 + 1
            position.RowPositionInTotalImagePixelMatrix = row * 256 + 1
            group.PlanePositionSlideSequence = [position]
            groups.append(group)
        dataset.DimensionOrganizationType = "TILED_SPARSE"
        dataset.PerFrameFunctionalGroupsSequence = groups
        put_frames(dataset, frames[::-1], ExplicitVRLittleEndian)
    return datasets


def concatenated(datasets: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """The finest level in two files."""
    finest, *others = datasets
    size, parts = 256 * 256 * 3, []
    total, first = int(finest.NumberOfFrames), 2
    for number, (start, end) in enumerate(((0, first), (first, total)), 1):
        part = deepcopy(finest)
        part.SOPInstanceUID = part.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        part.ConcatenationUID = "1.2.3.4"
        part.InConcatenationNumber, part.InConcatenationTotalNumber = number, 2
        part.ConcatenationFrameOffsetNumber = start
        frames = [finest.PixelData[at * size : (at + 1) * size] for at in range(start, end)]
        put_frames(part, frames, ExplicitVRLittleEndian)
        parts.append(part)
    return [*parts, *others]


def in_coding(
    syntax: pydicom.uid.UID, encode: Callable[[Pixels], bytes]
) -> Callable[[list[pydicom.Dataset]], list[pydicom.Dataset]]:
    def coded(datasets: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
        for dataset in datasets:
            pixels = np.frombuffer(dataset.PixelData, np.uint8).reshape(-1, 256, 256, 3)
            put_frames(dataset, [encode(each) for each in pixels], syntax)
        return datasets

    return coded


def jpeg_2000(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True))


def jpeg_ls(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels))


FORMS: dict[str, Callable[[list[pydicom.Dataset]], list[pydicom.Dataset]]] = {
    "plain": lambda datasets: datasets,
    "sparse": sparse,
    "concatenated": concatenated,
    "jpeg-2000": in_coding(JPEG2000Lossless, jpeg_2000),
    "jpeg-ls": in_coding(JPEGLSLossless, jpeg_ls),
}


def store(orthanc: Orthanc, datasets: list[pydicom.Dataset]) -> None:
    for dataset in datasets:
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        orthanc.rest("POST", "/instances", stream.getvalue())


@pytest.mark.parametrize("form", FORMS)
def test_levels_in_every_form_are_put_together_to_the_pixel(orthanc: Orthanc, form: str) -> None:
    series = generate_uid()
    store(orthanc, FORMS[form](levels_of(series)))
    with closing(opened(orthanc, series)) as web:
        shown = web.read(Area(0, 0, *SIZE), SIZE)
    scanned = shown[..., 3] > 0
    assert (shown[..., :3] == picture())[scanned].all()
    missing = np.zeros_like(scanned)
    if form == "sparse":
        missing[256:, 512:] = True  # its last tile
    assert (scanned == ~missing).all()


def test_a_series_that_lacks_files_is_named(orthanc: Orthanc) -> None:
    series = generate_uid()
    store(orthanc, concatenated(levels_of(series))[1:])
    with pytest.raises(SlideSeriesIncomplete, match="1 of the 2 files of the level of 600 × 450"):
        opened(orthanc, series)


def test_an_unknown_series_is_named(orthanc: Orthanc) -> None:
    with pytest.raises(SeriesUnknown, match=r"1\.2\.99"):
        opened(orthanc, "1.2.99")


def test_memory_is_bounded_and_nothing_is_fetched_twice_while_it_lasts(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = 500 * 500 * 3
    requests: list[object] = []
    frames = Archive.frames

    def counted(self: Archive, *wanted: object) -> list[bytes]:
        requests.append(wanted[1:])
        return frames(self, *wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(Archive, "frames", counted)
    with closing(opened(orthanc, series_uid(CMU))) as web:
        for _ in range(3):
            web.read(Area(0, 0, 400, 400), (400, 400))
        assert len(requests) == 1
        monkeypatch.setattr(web, "_cache", web_slide.FrameCache(4 * frame))
        for row in range(5):
            for column in range(4):
                web.read(Area(column * 500, row * 500, 400, 400), (400, 400))
        held = web._cache._frames
        assert sum(each.result().nbytes for each in held.values()) <= 4 * frame


def test_a_damaged_frame_leaves_its_neighbours(orthanc: Orthanc) -> None:
    series = generate_uid()
    datasets = in_coding(JPEG2000Lossless, jpeg_2000)(levels_of(series))
    frames = list(pydicom.encaps.generate_frames(datasets[0].PixelData, number_of_frames=6))
    put_frames(datasets[0], [frames[0][:400], *frames[1:]], JPEG2000Lossless)
    store(orthanc, datasets)
    with closing(opened(orthanc, series)) as web:
        with pytest.raises(AreaUnreadable):
            web.read(Area(0, 0, 100, 100), (100, 100))
        assert web.read(Area(300, 0, 100, 100), (100, 100))[..., 3].all()


def test_a_frame_that_ends_its_decoder_is_unreadable(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(opened(orthanc, series_uid(CMU))) as web:
        web.read(Area(1600, 0, 100, 100), (100, 100))  # it has started
        exchange = FrameProcess.exchange

        def killed(self: FrameProcess, message: bytes) -> bytes:
            os.kill(self.pid, signal.SIGSEGV)
            return exchange(self, message)

        with monkeypatch.context() as patched:
            patched.setattr(FrameProcess, "exchange", killed)
            with pytest.raises(AreaUnreadable):
                web.read(Area(0, 0, 100, 100), (100, 100))
        assert web.read(Area(0, 0, 100, 100), (100, 100))[..., 3].all()


def test_an_archive_that_goes_away_ends_the_slide(tmp_path: Path) -> None:
    with running(tmp_path / "orthanc") as server:
        server.add(sorted(CMU.glob("*.dcm")))
        web = opened(server, series_uid(CMU))
    with closing(web), pytest.raises(ArchiveUnreachable) as away:
        list(web.tiles([Area(0, 0, 448, 448)], (224, 224)))
    assert "127.0.0.1" not in str(away.value)


@pytest.mark.parametrize("fluorescence", [True, False])
def test_what_is_no_bright_field_in_colour_is_refused(fluorescence: bool) -> None:
    (header, _) = levels_of(generate_uid())
    if fluorescence:
        path, code = pydicom.Dataset(), pydicom.Dataset()
        code.CodeValue = "111743"
        path.IlluminationTypeCodeSequence = [code]
        header.OpticalPathSequence = [path]
    else:
        header.SamplesPerPixel = 1
    with pytest.raises(NotBrightfield if fluorescence else SlideUnsupported):
        index_levels([header])


def test_access_and_its_secrets(orthanc: Orthanc) -> None:
    with pytest.raises(ArchiveRefused) as refused:
        list(Archive(orthanc.dicomweb, settings(dicomweb_password="CANARY-wrong")).slides())  # noqa: S106
    assert refused.value.answered == 401
    assert "CANARY" not in str(refused.value)
    assert "CANARY" not in repr(settings())
    with pytest.raises(InvalidSettings, match="https"):
        Archive("http://archive.example.org/dicom-web", settings())
    with pytest.raises(InvalidSettings, match="no user"):
        Archive("https://me:secret@archive.example.org", load_settings())
    with pytest.raises(InvalidSettings, match="exclude"):
        Archive(orthanc.dicomweb, settings(dicomweb_token="CANARY"))  # noqa: S106


def test_an_archive_that_is_not_there_is_one() -> None:
    with pytest.raises(ArchiveUnreachable):
        list(Archive(f"http://127.0.0.1:{free_port()}/dicom-web", settings()).slides())


def test_the_command_reads_one_series_and_writes_its_results(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    uid = series_uid(CMU)
    command = [sys.executable, "-m", "healer", "slide", "--dicomweb", orthanc.dicomweb]
    done = subprocess.run(
        [*command, "--series", uid, "--out", tmp_path, "--dicom-results"],
        env={**os.environ, "HEALER_DICOMWEB_USER": USER, "HEALER_DICOMWEB_PASSWORD": PASSWORD},
        capture_output=True,
        check=True,
    )
    assert uid.encode() in done.stdout
    assert PASSWORD.encode() not in done.stdout + done.stderr
    assert (tmp_path / uid / "dicom" / "report.dcm").is_file()
    files = {file.suffix for file in (tmp_path / uid).rglob("*") if file.is_file()}
    assert ".jpg" not in files


def listed(number: int) -> dict[str, object]:
    return {
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "0020000E": {"vr": "UI", "Value": [f"1.2.{number}"]},
    }


@pytest.mark.parametrize(("most", "heeds_offset"), [(100, True), (30, True), (130, False)])
def test_all_series_are_found_whatever_an_archive_makes_of_pages(
    monkeypatch: pytest.MonkeyPatch, most: int, heeds_offset: bool
) -> None:
    archive = Archive("https://archive.example.org", load_settings())

    def search(*, limit: int, offset: int, **_: object) -> list[dict[str, object]]:
        start = offset if heeds_offset else 0
        return [listed(number) for number in range(130)][
            start : start + min(most, max(limit, most))
        ]

    monkeypatch.setattr(archive._client, "search_for_series", search)
    assert [each.series for each in archive.slides()] == [f"1.2.{n}" for n in range(130)]


@pytest.mark.parametrize(
    ("reason", "error"), [(0xA700, ArchiveFull), (0xA900, ResultsRejected), (None, ArchiveFull)]
)
def test_what_an_archive_says_to_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    reason: int | None,
    error: type[HospitalError],
) -> None:
    (dataset, _) = levels_of(generate_uid())
    place = tmp_path / "report.dcm"
    dataset.save_as(place, enforce_file_format=True)
    archive = Archive("https://archive.example.org", load_settings())
    answer, failed = pydicom.Dataset(), pydicom.Dataset()
    if reason is not None:
        failed.FailureReason = reason
        answer.FailedSOPSequence = [failed]
    monkeypatch.setattr(archive._client, "search_for_instances", lambda *_, **__: [])
    monkeypatch.setattr(archive._client, "store_instances", lambda _: answer)
    with pytest.raises(error, match="does not hold" if reason is None else f"{reason:#06x}"):
        archive.store([place])
    stored = pydicom.Dataset()
    stored.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    answer.ReferencedSOPSequence, answer.FailedSOPSequence = [stored], []
    archive.store([place])
