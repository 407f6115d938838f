"""Where slides come from that results go back for: files of a DICOM series, or an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from healer.hospital.archive import Archive, FoundSeries
from healer.hospital.codes import CodeBook
from healer.hospital.fhir import post_report
from healer.hospital.results import read_bundle, write_results
from healer.hospital.series import SourceSeries, series_in
from healer.hospital.web_slide import WebSlide
from healer.settings.loading import Settings
from healer.slides.listing import ListedSlide, SlideListing
from healer.slides.opening import open_slide
from healer.slides.reader import ColourChoice, Resolution, SlideReader


@dataclass
class DicomSource:
    """`archive` is None where slides are files. Headers are read before pixels: a slide that can
    have no results is refused before it is read."""

    settings: Settings
    archive: Archive | None = None
    colour: ColourChoice = "raw"
    results: bool = True
    _found: dict[str, FoundSeries] = field(default_factory=dict)
    _series: dict[str, SourceSeries] = field(default_factory=dict)

    def listing(self, uids: Sequence[str]) -> SlideListing:
        """Of the archive's series; a slide is named by its UID."""
        return SlideListing(tuple(ListedSlide(Path(uid), uid) for uid in dict.fromkeys(uids)))

    def open(self, slide: ListedSlide, given: Resolution | None) -> SlideReader:
        """Raises SlideError and HospitalError."""
        if self.archive is None:
            if self.results:
                self._series[slide.name] = series_in(slide.path)
            mpp, source = (given.x, given.source) if given else (None, "--mpp")
            return open_slide(slide.path, mpp=mpp, mpp_source=source, colour=self.colour)
        found = self._found.get(slide.name) or self.archive.series(slide.name)
        reader = WebSlide(self.archive, found, given)
        self._series[slide.name] = reader.series
        return reader

    def expect(self, found: FoundSeries) -> ListedSlide:
        """A series that a search found already."""
        self._found[found.series] = found
        return ListedSlide(Path(found.series), found.series)

    def finish(self, slide: ListedSlide, folder: Path) -> None:
        """Write what the archive and the record system are to get. Raises
        SlideAnswersNotWritable."""
        if self.results:
            write_results(folder, self._series[slide.name], CodeBook.of(self.settings.codes))

    def write_and_post(self, slide: ListedSlide, folder: Path) -> None:
        """Raises what both do."""
        self.finish(slide, folder)
        self.post(folder)

    def post(self, folder: Path) -> None:
        """To the record system, where there is one. Raises FhirRefused."""
        if self.settings.fhir_url and self.results:
            post_report(read_bundle(folder), self.settings)
