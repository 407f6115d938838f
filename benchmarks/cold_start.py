"""A cold start, step by step: `python -m benchmarks.cold_start [-- COMMAND...]`.

    import   from the start of the process until /health answers
    load     from then until /ready does: the model is loaded and has answered for a known tile
    first    the first /predict

COMMAND serves on $PORT; the default is `healer serve` with the settings of the environment. For an
image: `python -m benchmarks.cold_start --port 8080 -- docker run --rm -p 8080:8080 IMAGE`.
"""

from __future__ import annotations

import argparse
import io
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from statistics import median

import httpx
from PIL import Image

from benchmarks.costs import PRICES, Rates
from healer.screening.screener import known_tile

STEPS = ("import", "load", "first")
TIMEOUT = 1800.0
SERVE = (sys.executable, "-m", "healer", "serve")


def measure(command: Sequence[str], port: int) -> dict[str, float]:
    """Seconds of each step; the process is ended afterwards."""
    tile = io.BytesIO()
    Image.fromarray(known_tile().pixels).save(tile, "PNG")
    environment = {**os.environ, "PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT) as client:
            alive = wait_for(client, "/health", process)
            ready = wait_for(client, "/ready", process)
            upload = {"image_file": ("tile.png", tile.getvalue())}
            client.post("/predict", files=upload, data={"gate": "warn"}).raise_for_status()
            answered = time.perf_counter()
    finally:
        process.terminate()
        process.wait()
    return dict(zip(STEPS, (alive - started, ready - alive, answered - ready), strict=True))


def wait_for(client: httpx.Client, path: str, process: subprocess.Popen[bytes]) -> float:
    while process.poll() is None:
        try:
            if client.get(path).is_success:
                return time.perf_counter()
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"The server ended with {process.returncode} before {path} answered.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def report(runs: Sequence[dict[str, float]], rates: Rates) -> Iterable[str]:
    yield f"| step | seconds (median of {len(runs)}) | least to most | US dollars for 1,000 |"
    yield "|---|---|---|---|"
    for step in STEPS:
        seconds = [run[step] for run in runs]
        cost = 1000 * median(seconds) * rates.cpu_busy
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        yield f"| {step} | {median(seconds):.2f} | {spread} | {cost:.2f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("command", nargs="*", default=SERVE)
    options = parser.parse_args(arguments)
    runs = [
        measure(options.command or SERVE, options.port or free_port())
        for _ in range(options.rounds)
    ]
    rates = Rates.of(tomllib.loads(PRICES.read_text(encoding="utf-8")))
    sys.stdout.write("\n".join(report(runs, rates)) + "\n")


if __name__ == "__main__":
    main()
