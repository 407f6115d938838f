"""A DICOM series with a tumour planted at a known place, answered once for all tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pydicom

from healer.hospital.codes import CodeBook
from healer.hospital.finished import FinishedSlide, ResultContext
from healer.hospital.series import series_in
from healer.settings.loading import load_settings
from healer.slides.listing import ListedSlide
from healer.slides.reader import Area
from healer.slides.slide_screener import SlideScreener
from tests.slides.glass import UM_PER_PX, Patch, glass_with, write_dicom

SIZE = (4480, 3584)
TUMOUR = Area(2688, 896, 1344, 1344)  # pixels at 0.5 µm
NORMAL = Area(448, 1344, 1344, 1344)
PATIENT, PATIENT_ID = "CANARY^Patient", "CANARY-ID"
MM_PER_PX = UM_PER_PX / 1000


def planted_series(folder: Path, tumour: bool = True) -> Path:
    """A folder with a file for each of three levels."""
    patches = [Patch("normal", NORMAL), *([Patch("adenocarcinoma", TUMOUR)] * tumour)]
    return write_dicom(folder, glass_with(SIZE, patches))


@cache
def answered() -> tuple[Path, Path]:
    """The series, and the folder of its answer."""
    place = Path(mkdtemp(prefix="healer-hospital-"))
    series = planted_series(place / "series")
    screener = SlideScreener(load_settings(), place / "out")
    try:
        screener.answer(ListedSlide(series, "planted"))
    finally:
        screener.close()
    return series, place / "out" / "planted"


def context(codes: str = "SCT,LN") -> ResultContext:
    series, folder = answered()
    return ResultContext(FinishedSlide.in_folder(folder), series_in(series), CodeBook.of(codes))


def with_patient(folder: Path, name: str) -> None:
    """Every file of a series gets another patient's name, in UTF-8."""
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = name
        dataset.save_as(file)
