"""What a second model costs on a slide: `python -m benchmarks.second_model MODEL_DIR`.

Draws a slide, has `healer slide` read it with `--engine` and `--draft`, and prints the seconds of
each stage, by the answer's own account. With random weights the seconds hold, and what the model
says of the slide means nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sampling import MemorySampler
from benchmarks.slides import write_slide
from healer.hardware import cores, processor

NAME = "slide"
# Of a drawn slide, whose tissue repeats a few tiles: what is measured does not depend on it.
STAGES = (
    ("tissue", "overview and tissue"),
    ("tiles", "every tile, by the built-in model"),
    ("second_model", "patches shown one by one"),
    ("draft", "draft of a report"),
)
Json = dict[str, Any]


def read(slide: Path, out: Path, options: argparse.Namespace) -> Json:
    """What `slide.json` says. Raises CalledProcessError."""
    command = [sys.executable, "-m", "healer", "slide", str(slide), "--out", str(out), "--quiet"]
    command += ["--engine", options.engine, "--patches", str(options.patches), "--draft"]
    command += ["--draft-patches", str(options.draft_patches)]
    environment = {**os.environ, "MODEL_DIR": str(options.model_dir)}
    subprocess.run(command, env=environment, check=True)  # noqa: S603
    document: Json = json.loads((out / NAME / "slide.json").read_text("utf-8"))
    return document


def report(document: Json, whole: float, memory: int) -> Iterator[str]:
    second, draft, seconds = document["cascade"], document["draft"], document["timings_s"]
    shown = {
        "tiles": document["tiles"]["visited"],
        "second_model": len(second["patches"]),
        "draft": len(draft["patches"]),
    }
    yield f"{processor()[0]}, {cores()} cores; {second['model']}"
    yield "| stage | tiles or patches | s | s each |"
    yield "|---|---|---|---|"
    for stage, title in STAGES:
        count, taken = shown.get(stage), seconds[stage]
        each = f"{taken / count:.2f}" if count else ""
        yield f"| {title} | {count or ''} | {taken:.1f} | {each} |"
    yield f"| the whole command, models opened | | {whole:.1f} | |"
    yield f"Most memory: {memory / 1e9:.1f} GB. {draft['sentence']}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.second_model", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--side", type=int, default=10_000, help="of the slide, in pixels")
    parser.add_argument("--patches", type=int, default=8)
    parser.add_argument("--draft-patches", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(folder, f"{NAME}.tiff")
        write_slide(slide, options.side)
        started = time.perf_counter()
        with MemorySampler() as memory:
            document = read(slide, Path(folder, "out"), options)
        whole = time.perf_counter() - started
    sys.stdout.write("\n".join([*report(document, whole, memory.most), ""]))


if __name__ == "__main__":
    main()
