"""One process that reads pictures: real ones, really killed."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from healer import errors
from healer.hardware import NICENESS
from healer.images.decode import decode
from healer.sandbox import load_tile
from healer.sandbox import process as child
from healer.sandbox.loader import Worker
from healer.sandbox.process import reply_to
from healer.sandbox.protocol import Limits, LoaderFailed, LoadRequest, SharedBuffer
from tests.images.codings import Coded, codings, written
from tests.images.hostile.parts import encode, flat, good, tissue
from tests.images.hostile.png import claiming
from tests.images.hostile.tiff import pages
from tests.sandbox.conftest import HASTY, LIMITS

CODINGS = [each for each in codings() if each.name.endswith("one strip")]


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_what_it_reads_is_what_this_process_would(worker: Worker, format_: str) -> None:
    for mode in ("off", "warn"):
        here = load_tile(good(format_), mode, LIMITS.max_pixels)
        there = worker.load(good(format_), mode)
        assert np.array_equal(there.tile.pixels, here.tile.pixels)
        assert (there.tile.mpp, there.gate) == (here.tile.mpp, here.gate)
        assert there.timings.keys() == here.timings.keys()


def test_it_gives_way_to_the_service(worker: Worker) -> None:
    worker.load(good("PNG"), "off")
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == NICENESS


def test_the_scale_comes_along(worker: Worker) -> None:
    data = encode(tissue(), "TIFF", dpi=(50_800, 50_800))
    assert worker.load(data, "off").tile.mpp == 0.5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"dear colleague",
        b"GIF89a...",
        good("PNG")[:1000],
        claiming(60_000, 60_000),
        encode(flat(224, 224), "PNG"),
    ],
)
def test_a_refusal_comes_back_as_it_is(worker: Worker, data: bytes) -> None:
    with pytest.raises(errors.RequestError) as here:
        load_tile(data, "refuse", LIMITS.max_pixels)
    with pytest.raises(errors.RequestError) as there:
        worker.load(data, "refuse")
    assert type(there.value) is type(here.value)
    assert there.value.fields() == here.value.fields()
    assert worker.load(good("PNG"), "off").tile.width == 96


def test_a_picture_that_takes_too_long_ends_it(endless: bytes) -> None:
    with closing(Worker(HASTY)) as worker:
        with pytest.raises(errors.ImageTooCostly, match=r"more than 0\.5 s|within 1\.5 s"):
            worker.load(endless, "off")
        assert not worker.alive


def test_a_page_of_several_is_chosen_there_too(worker: Worker) -> None:
    data = pages()
    with pytest.raises(errors.UnsupportedFormat, match="2 pages"):
        worker.load(data, "off")
    tile = worker.load(data, "off", 2).tile
    assert tile.page == 2
    assert np.array_equal(tile.pixels, np.asarray(tissue(seed=8)))


@pytest.mark.parametrize("coded", CODINGS, ids=lambda coded: coded.name)
def test_a_coding_is_read_within_the_bounds(worker: Worker, coded: Coded) -> None:
    here = decode(coded.data, max_pixels=LIMITS.max_pixels)
    assert np.array_equal(worker.load(coded.data, "off").tile.pixels, here.pixels)


def test_a_tiff_of_forty_megapixels_is_read_within_them(worker: Worker) -> None:
    data = written(np.zeros((5000, 8000, 3), np.uint8), compression="jpeg2000", rowsperstrip=5000)
    assert worker.load(data, "off").tile.width == 8000


def test_serving_starts_without_the_library_for_tiff() -> None:
    loaded = "import sys, healer.main; print({'tifffile', 'imagecodecs'} & sys.modules.keys())"
    result = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, check=True, text=True
    )
    assert result.stdout.strip() == "set()"


def test_its_memory_is_bound() -> None:
    small = Limits(max_pixels=10_000, max_bytes=1024, seconds=60)
    with closing(Worker(small)) as worker:
        assert worker.load(encode(flat(100, 100), "PNG"), "off").tile.width == 100
        with pytest.raises(errors.ImageTooCostly, match="more than 192 MB of memory"):
            worker.load(bytes(200 * 1024 * 1024), "off")
        assert not worker.alive


CRASHED = (errors.ImageTooCostly, "stopped the process")
OUT_OF_TIME = (errors.ImageTooCostly, "more than 60 s")
OUT_OF_PATIENCE = (errors.ImageTooCostly, "not done within 180 s")
KILLED = (errors.ImageReaderLost, "ended by SIG")


@pytest.mark.parametrize(
    ("ended_by", "expected"),
    [
        (signal.SIGSEGV, CRASHED),
        (signal.SIGABRT, CRASHED),
        (signal.SIGBUS, CRASHED),
        (signal.SIGPROF, OUT_OF_TIME),
        (signal.SIGALRM, OUT_OF_PATIENCE),
        (signal.SIGKILL, KILLED),
        (signal.SIGHUP, KILLED),
    ],
)
def test_its_death_is_reported_to_those_who_wait(
    endless: bytes, ended_by: signal.Signals, expected: tuple[type[errors.HealerError], str]
) -> None:
    kind, words = expected
    with closing(Worker(LIMITS)) as worker:
        worker.load(good("PNG"), "off")
        with (
            when_busy(worker, lambda: os.kill(worker.pid, ended_by)),
            pytest.raises(kind, match=words),
        ):
            worker.load(endless, "off")
        assert not worker.alive


@pytest.mark.parametrize("failing", ["write", "pixels"])
def test_what_the_system_does_not_give_is_no_fault_of_the_picture(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    worker.load(good("PNG"), "off")
    with monkeypatch.context() as broken:
        broken.setattr(SharedBuffer, failing, refuse)
        with pytest.raises(errors.ImageReaderLost, match="No space left on device"):
            worker.load(good("PNG"), "off")
    assert not worker.alive


def test_nor_is_it_where_the_system_fails_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(child, "load_image", refuse)
    reply = reply_to(LoadRequest(1, "off"), SharedBuffer(-1), LIMITS)
    assert isinstance(reply, LoaderFailed)
    assert reply.errno == errno.EMFILE


def test_a_reader_that_says_nonsense_was_brought_to_it_by_the_picture(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.load(good("PNG"), "off")
    monkeypatch.setattr("healer.sandbox.loader.LONGEST_REPLY", 3)
    with pytest.raises(errors.ImageTooCostly, match="stopped the process"):
        worker.load(good("PNG"), "off")
    assert not worker.alive


@contextmanager
def when_busy(worker: Worker, act: Callable[[], None]) -> Iterator[None]:
    process = psutil.Process(worker.pid)
    before = process.cpu_times().user

    def watch() -> None:
        while process.cpu_times().user < before + 0.2:
            pass
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_what_the_kernel_holds_it_to(worker: Worker) -> None:
    worker.load(good("PNG"), "off")
    for kind, bound in {
        resource.RLIMIT_AS: LIMITS.memory_bytes,
        resource.RLIMIT_FSIZE: 3 * LIMITS.max_pixels,
        resource.RLIMIT_CORE: 0,
    }.items():
        assert resource.prlimit(worker.pid, kind) == (bound, bound)


def test_it_knows_no_secret_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HF_TOKEN", "canary")
    monkeypatch.setenv("HEALER_ENGINE_KEY", "canary")
    with closing(Worker(LIMITS)) as worker:
        worker.load(good("PNG"), "off")
        seen = Path(f"/proc/{worker.pid}/environ").read_bytes()
        process = psutil.Process(worker.pid)
        assert process.open_files() == []
        assert process.net_connections("inet") == []
    assert b"canary" not in seen


@pytest.mark.parametrize("requested", [signal.SIGINT, signal.SIGTERM])
def test_stop_signals_are_for_the_service(worker: Worker, requested: signal.Signals) -> None:
    worker.load(good("PNG"), "off")
    os.kill(worker.pid, requested)
    assert worker.load(good("PNG"), "off").tile.width == 96


def test_one_that_cannot_start_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with closing(Worker(LIMITS)) as worker, pytest.raises(errors.ModelNotReady):
        worker.load(good("PNG"), "off")
