"""`python -m tests.hospital.viewer FOLDER MODULES`: what dicom-microscopy-viewer draws.

Slim is built on it. It is shown a slide and Healer's results in Debian's Orthanc.

Makes a picture of each result over the slide in FOLDER, and prints where it changed the slide.
MODULES is a folder that `npm install dicom-microscopy-viewer` filled; `scripts/viewer` makes one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from pydicom.sr.codedict import codes

from healer.slides.reader import Area
from tests.e2e.conftest import find_chromium
from tests.hospital.orthanc import PASSWORD, USER, Orthanc, running
from tests.hospital.slides import SIZE, TUMOUR, planted_series
from tests.hospital.test_watch_orthanc import files_of, watch_once

HERE = Path(__file__).parent
SHRUNK, MARGIN = 4, 1.1  # the window is the slide, so much smaller, and the slide in it again
CHANGED = 24  # of 255, in any channel: more than what a still picture's colours move by
BLANK, LEAST = 10, 0.001  # of 255, a picture's deviation; the share that a layer changes at least
WORKERS, DISTRIBUTION = "/static/js/", "dicom-microscopy-viewer/dist/dynamic-import"
LAYERS = ("map", "tissue", "tiles", "regions")
Picture = NDArray[np.uint8]


class Site(SimpleHTTPRequestHandler):
    """The page, the viewer's files, and the archive behind its password, as one origin."""

    def __init__(self, *arguments: Any, modules: Path, archive: Orthanc, **named: Any) -> None:  # noqa: ANN401
        self._modules, self._archive = modules, archive
        super().__init__(*arguments, **named)

    def translate_path(self, path: str) -> str:
        path = path.split("?")[0]
        if path.startswith("/modules/"):
            return str(self._modules / path.removeprefix("/modules/"))
        if path.startswith(WORKERS):  # where the viewer looks for its own
            return str(self._modules / DISTRIBUTION / path.removeprefix(WORKERS))
        return str(HERE / path.removeprefix("/"))

    def do_GET(self) -> None:
        if not self.path.startswith("/dicom-web/"):
            super().do_GET()
            return
        accepted = {"Accept": self.headers["Accept"] or "*/*"}
        at = self._archive.address + self.path
        reply = httpx.get(at, headers=accepted, auth=(USER, PASSWORD), timeout=60)
        self.send_response(reply.status_code)
        self.send_header("Content-Type", reply.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def site(modules: Path, archive: Orthanc) -> Iterator[str]:
    handler = partial(Site, modules=modules, archive=archive)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def opened(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            chromium_sandbox=os.getuid() != 0,
            args=["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        width, height = (side // SHRUNK for side in SIZE)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("pageerror", lambda error: say(f"page: {error.stack}"))
        page.goto(address)
        page.wait_for_function("window.layers", timeout=60_000)
        yield page
        browser.close()


def still(page: Page, over: Picture | None = None) -> Picture:
    """A picture, once two that follow one another are the same: of the slide, or of a layer `over`
    it. A layer that is never drawn is a picture of the slide."""
    before = now = _shot(page)
    for _ in range(90):
        page.wait_for_timeout(1000)
        before, now = now, _shot(page)
        drawn = now.std() > BLANK if over is None else _changed(over, now).mean() > LEAST
        if drawn and (now == before).all():
            return now
    if over is None:
        raise RuntimeError("the viewer draws no slide")
    return now


def _shot(page: Page) -> Picture:
    return np.asarray(Image.open(BytesIO(page.screenshot())).convert("RGB"))


def _changed(before: Picture, after: Picture) -> NDArray[np.bool_]:
    changed: NDArray[np.bool_] = np.abs(after.astype(int) - before).max(axis=2) > CHANGED
    return changed


def shares(before: Picture, after: Picture) -> tuple[float, float]:
    """Of the tumour's pixels, and of the others, that a layer changed."""
    changed = _changed(before, after)
    inside = np.zeros(changed.shape, bool)
    inside[_in_window(TUMOUR)] = True
    return float(changed[inside].mean()), float(changed[~inside].mean())


def _in_window(area: Area) -> tuple[slice, slice]:
    """The viewer shows the slide in the middle, turned by half, with a margin around it."""
    scale = 1 / (SHRUNK * MARGIN)
    columns, rows = (
        [round(side / SHRUNK / 2 + (side / 2 - edge) * scale) for edge in edges]
        for side, edges in zip(SIZE, ((area.right, area.x), (area.bottom, area.y)), strict=True)
    )
    return slice(*rows), slice(*columns)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def photograph(page: Page, folder: Path) -> None:
    for name in LAYERS:  # the first that is shown moves the slide into its margin
        page.evaluate(f"window.layers.{name}.show(), window.layers.{name}.hide()")
    slide = still(page)
    Image.fromarray(slide).save(folder / "slide.png")
    say("| layer | objects | changed in the tumour | and elsewhere |\n|---|---|---|---|")
    for name in LAYERS:
        page.evaluate(f"window.layers.{name}.show()")
        shown = still(page, slide)
        Image.fromarray(shown).save(folder / f"{name}.png")
        inside, outside = shares(slide, shown)
        count = page.evaluate(f"window.layers.{name}.count")
        say(f"| {name} | {count} | {inside:.0%} | {outside:.0%} |")
        page.evaluate(f"window.layers.{name}.hide()")


def state_place_and_path(series: Path) -> None:
    """What scanners state and converters leave out: where the slide lies on its glass, and its
    optical path. The viewer draws nothing without."""
    origin, path = pydicom.Dataset(), pydicom.Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = 40.0, 20.0
    path.OpticalPathIdentifier = "1"
    path.IlluminationTypeCodeSequence = [CodedConcept.from_code(codes.DCM.BrightfieldIllumination)]
    for file in files_of(series):
        dataset = pydicom.dcmread(file)
        dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
        dataset.TotalPixelMatrixOriginSequence = [origin]
        dataset.OpticalPathSequence = [path]
        dataset.save_as(file)


def main(folder: Path, modules: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "orthanc") as archive:
        series = planted_series(Path(place) / "series")
        state_place_and_path(series)
        archive.add(files_of(series))
        watch_once(archive, Path(place) / "out")
        study = pydicom.dcmread(files_of(series)[0], stop_before_pixels=True).StudyInstanceUID
        with (
            site(modules, archive) as address,
            opened(f"{address}/page.html?study={study}") as page,
        ):
            photograph(page, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
