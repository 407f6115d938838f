"""What reading pictures in processes of their own costs: `python -m benchmarks.isolation`.

time     one picture read in a thread and in a process, in turn; and tiles, four at a time
memory   what a process holds while it reads the largest legal pictures of each kind, and what
         it starts with (Linux)
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import mean, median

import numpy as np
import psutil
from PIL import Image

from healer.sandbox.loader import ImageLoader, InProcess, Sandboxed, Worker, sandbox_limits
from healer.settings.loading import Settings
from tests.images.codings import written
from tests.images.hostile.parts import encode, flat, tissue

SETTINGS = Settings(_env_file=None, decode_seconds=600)
LIMITS = sandbox_limits(SETTINGS)
WIDE, HIGH = 8000, 5000  # as large as may be
AT_ONCE = 4
ROUNDS = 5
EXIF = Image.Exif()
EXIF[0x0112] = 6  # lies on its side


def pictures() -> dict[str, tuple[bytes, int]]:
    """Each with how often it is read in a round."""
    large = tissue(224).resize((WIDE, HIGH))
    return {
        "224 × 224, PNG": (encode(tissue(224), "PNG"), 60),
        "224 × 224, JPEG": (encode(tissue(224), "JPEG"), 60),
        "8000 × 5000, JPEG": (encode(large, "JPEG"), 2),
    }


def largest() -> Iterator[tuple[str, Callable[[], bytes]]]:
    plain = flat(WIDE, HIGH)
    deep = Image.fromarray(np.zeros((HIGH, WIDE), np.uint16))
    yield "PNG, RGB", lambda: encode(plain, "PNG", compress_level=1)
    yield "PNG, alpha", lambda: encode(flat(WIDE, HIGH, "RGBA"), "PNG", compress_level=1)
    yield "PNG, alpha, turned", lambda: encode(flat(WIDE, HIGH, "RGBA"), "PNG", exif=EXIF)
    yield "PNG, 16 bits", lambda: encode(deep, "PNG", compress_level=1)
    yield "JPEG, turned", lambda: encode(plain, "JPEG", exif=EXIF)
    yield "JPEG, CMYK, progressive", lambda: encode(flat(WIDE, HIGH, "CMYK"), "JPEG", progressive=1)
    yield "TIFF, LZW", lambda: encode(plain, "TIFF", compression="tiff_lzw", strip_size=2**30)
    for name, make in largest_tiffs().items():
        yield f"TIFF, {name}", make
    yield "WebP", lambda: encode(plain, "WEBP", method=0)
    yield "WebP, alpha, lossless", lambda: encode(flat(WIDE, HIGH, "RGBA"), "WEBP", lossless=True)


def largest_tiffs() -> dict[str, Callable[[], bytes]]:
    rgb = np.zeros((HIGH, WIDE, 3), np.uint8)
    rgba = np.zeros((4, HIGH, WIDE), np.uint16)
    whole = {"rowsperstrip": HIGH}  # one strip: what takes most
    planes: dict[str, object] = {"planarconfig": "separate", "extrasamples": ["unassalpha"]}
    return {
        "RGBA of 16 bits in planes, LZW": lambda: written(
            rgba, compression="lzw", **planes, **whole
        ),
        "RGB of 16 bits, Deflate": lambda: written(
            rgb.astype(np.uint16), compression="zlib", **whole
        ),
        "JPEG": lambda: written(rgb, compression="jpeg", **whole),
        "JPEG 2000": lambda: written(rgb, compression="jpeg2000", **whole),
        "JPEG 2000 in tiles": lambda: written(rgb, compression="jpeg2000", tile=(512, 512)),
        "JPEG XL": lambda: written(rgb, compression="jpegxl", **whole),
        "WebP": lambda: written(rgb, compression="webp", **whole),
    }


async def alone(admitting: ImageLoader, data: bytes) -> tuple[float, float]:
    """Seconds on the clock, and of processors."""
    started, busy = time.perf_counter(), processors()
    await admitting.load(data, "warn")
    return time.perf_counter() - started, processors() - busy


def processors() -> float:
    """Seconds that this process and its own have been busy."""
    children = psutil.Process().children()
    return time.process_time() + sum(sum(each.cpu_times()[:2]) for each in children)


Reads = Sequence[tuple[float, float]]


def compared(
    here: Reads, there: Reads, column: int, average: Callable[[Sequence[float]], float]
) -> str:
    thread, process = (1000 * average([read[column] for read in reads]) for reads in (here, there))
    return f"{thread:.2f} | {process:.2f} | {process / thread:.2f}"


async def together(admitting: ImageLoader, data: bytes, count: int) -> float:
    """Tiles a second, with AT_ONCE under way."""

    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await admitting.load(data, "warn")

    started = time.perf_counter()
    await asyncio.gather(*[some() for _ in range(AT_ONCE)])
    return count / (time.perf_counter() - started)


async def times() -> None:
    thread, process = InProcess(LIMITS.max_pixels), Sandboxed(LIMITS, SETTINGS.decoders)
    await process.start()
    print_line(
        "| picture | thread, ms | process, ms | ratio | thread, ms of CPU | process | ratio |"
    )
    print_line("|---|---|---|---|---|---|---|")
    for name, (data, count) in pictures().items():
        here: list[tuple[float, float]] = []
        there: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            here += [await alone(thread, data) for _ in range(count)]
            there += [await alone(process, data) for _ in range(count)]
        print_line(
            f"| {name} | {compared(here, there, 0, median)} | {compared(here, there, 1, mean)} |"
        )
    data, count = pictures()["224 × 224, PNG"]
    rates = [
        [await together(each, data, ROUNDS * count) for each in (thread, process)] for _ in range(3)
    ]
    threads, processes = (median(column) for column in zip(*rates, strict=True))
    print_line(
        f"\n{AT_ONCE} at a time: {threads:.0f} tiles a second in threads, {processes:.0f} in "
        f"{SETTINGS.decoders} processes: {processes / threads:.2f} times as many."
    )
    await process.stop()


def memory() -> None:
    print_line(
        "| 40 megapixels | resident at most, MB | address space at most, MB | bytes a pixel |"
    )
    print_line("|---|---|---|---|")
    for name, make in largest():
        data = make()
        with closing(Worker(LIMITS)) as worker:
            worker.load(encode(tissue(), "PNG"), "warn")
            base = held(worker, "VmPeak")
            worker.load(data, "warn")
            most, space = held(worker, "VmHWM"), held(worker, "VmPeak")
        per_pixel = (space - base) * 1024**2 / (WIDE * HIGH)
        print_line(f"| {name} | {most} | {space} | {per_pixel:.1f} |")
    with closing(Worker(LIMITS)) as worker:
        worker.load(encode(tissue(), "PNG"), "warn")
        resident, space = held(worker, "VmRSS"), held(worker, "VmSize")
    print_line(f"\nIdle: {resident} MB resident, {space} MB of address space.")
    print_line(f"Bound: {LIMITS.memory_bytes // 1024**2} MB of address space.")


def held(worker: Worker, what: str) -> int:
    """In MB."""
    lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="?", choices=("time", "memory"), default="time")
    options = parser.parse_args(arguments)
    if options.what == "memory":
        memory()
    else:
        asyncio.run(times())


if __name__ == "__main__":
    main()
