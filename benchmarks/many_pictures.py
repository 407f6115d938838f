"""Many pictures in one prompt: `python -m benchmarks.many_pictures FOLDER`, of `healer optimize`.

Has the openvino engine read a text and 1, 8, 32 and 125 pictures of noise that it never saw, and
then write, each number in a process of its own that has answered once before, and prints one table.
With random weights the seconds and bytes hold, and what is written means nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.idle import Watch, check, used_by_others
from benchmarks.processes import ANONYMOUS, PEAK, environment, memory_of
from benchmarks.sampling import MemorySampler
from healer.engines.openvino.conversion_record import Attention, check_conversion
from healer.hardware import cores, processor
from healer.images.tile import Tile

TEXT = (
    "The pictures that follow are patches of one H&E-stained slide. Describe in short sentences "
    "what they show, and end each with the number of the patch that shows it."
)
PICTURE_PX = 896
EVERY_SECONDS = 0.05  # the memory is looked at
GB = 1e9
ROW_BYTES = 8  # of a key or value in 8 bits: two floats besides its numbers
# What the table shows, and how.
COLUMNS = {
    "pictures": "{:,}",
    "prompt tokens": "{:,}",
    "vision, s": "{:,.1f}",
    "prefill, s": "{:,.1f}",
    "first token, s": "{:,.1f}",
    "decode, tok/s": "{:.2f}",
    "keys and values while reading, GB": "{:.3f}",
    "while writing, GB": "{:.3f}",
    "anonymous before, GB": "{:.2f}",
    "anonymous, GB": "{:.2f}",
    "peak, GB": "{:.2f}",
    "others' cores": "{:.2f}",
}
say = Console(soft_wrap=True, highlight=False).print
note = Console(soft_wrap=True, highlight=False, stderr=True).print
Row = dict[str, float]


class Stages:
    """Seconds by stage, and each picture announced as it is read."""

    def __init__(self, pictures: int) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._pictures = pictures
        self.started = self._since = time.perf_counter()
        self._seen = 0

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] += now - self._since
        self._since = now
        self._seen += stage == "vision"
        if stage != "preprocess":
            done = f"{self._seen} of {self._pictures} pictures seen"
            note(
                f"{done}, {stage} {self.seconds[stage]:,.0f} s, {now - self.started:,.0f} s in all"
            )


def picture(number: int) -> Tile:
    shape = (PICTURE_PX, PICTURE_PX, 3)
    return Tile(np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8))


def held_bytes(attention: Attention, tokens: int) -> tuple[int, int]:
    """Keys and values as float32, and as the runtime's cache holds them in 8 bits."""
    numbers = attention.numbers(tokens)
    return 4 * numbers, numbers + numbers // attention.width * ROW_BYTES


def measure(folder: Path, pictures: int, tokens: int, threads: int) -> Row:
    """In this process."""
    from healer.engines.openvino import loading
    from healer.engines.vlm.prompt import encode_many
    from healer.settings.loading import Settings

    fields, record = Settings.model_fields, check_conversion(folder)
    note(f"{pictures} pictures: loading")
    gemma = loading.load(
        folder,
        record,
        threads=threads,
        dtype=fields["dtype"].default,
        cache_mb=fields["image_cache_mb"].default,
    )
    gemma.prefill(picture(pictures), gemma.prompt(TEXT))  # a first run packs the weights
    tiles = [picture(number) for number in range(pictures)]
    ids = encode_many(gemma.tokenizer, TEXT, pictures, record.image.tokens)
    gemma.check_fits(len(ids), pictures)
    before, others = memory_of("self", ANONYMOUS), Watch()
    with MemorySampler(partial(memory_of, "self", ANONYMOUS), EVERY_SECONDS) as memory:
        stages = Stages(pictures)
        logits, after = gemma.read_prompt(ids, tiles, stages)
        token, run = int(logits.argmax()), gemma.language.run(after)
        first = time.perf_counter()
        for _ in range(tokens):
            token = int(run.step([token]).argmax())
        written = time.perf_counter() - first
    reading, in_8_bits = held_bytes(record.attention, len(ids))
    writing = reading if gemma.language.decoder else in_8_bits
    figures = (
        pictures,
        len(ids),
        stages.seconds["vision"],
        stages.seconds["prefill"],
        first - stages.started,
        tokens / written,
        reading / GB,
        writing / GB,
        before / GB,
        memory.most / GB,
        memory_of("self", PEAK) / GB,
        others.others(),
    )
    return dict(zip(COLUMNS, figures, strict=True))


def measured(folder: Path, pictures: int, tokens: int, threads: int) -> Row:
    """In a process of its own, whose progress is shown. Raises BenchmarkError."""
    command = [sys.executable, "-m", "benchmarks.many_pictures", str(folder), "--one"]
    command += ["--pictures", str(pictures), "--tokens", str(tokens), "--threads", str(threads)]
    done = subprocess.run(  # noqa: S603
        command, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )  # its errors are shown as they come
    if done.returncode:
        raise BenchmarkError
    row: Row = json.loads(done.stdout)
    return row


def report(folder: Path, rows: list[Row]) -> Iterator[str]:
    record = check_conversion(folder)
    attention: Attention = record.attention
    full = attention.kinds.count("full_attention")
    yield f"{processor()[0]}, {cores()} cores; {record.source.model_id}"
    yield (
        f"{len(attention.kinds)} layers, {full} of which see everything, the others "
        f"{attention.sliding_window:,} positions"
    )
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for row in rows:
        shown: list[str] = [form.format(row[name]) for name, form in COLUMNS.items()]
        yield f"| {' | '.join(shown)} |"


def main(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of `healer optimize`.")],
    pictures: Annotated[str, typer.Option(metavar="A,B,…")] = "1,8,32,125",
    tokens: Annotated[int, typer.Option(min=1, help="Written after the first.")] = 30,
    threads: Annotated[int, typer.Option(min=0, help="0 means all cores.")] = 0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Although others compute.")] = False,
    one: Annotated[bool, typer.Option("--one", hidden=True)] = False,
) -> None:
    counts = [int(each) for each in pictures.split(",")]
    if one:
        sys.stdout.write(json.dumps(measure(folder, counts[0], tokens, threads)))
        return
    check_conversion(folder)
    rows: list[Row] = []
    try:
        for count in counts:
            check(used_by_others(), anyway=anyway)
            rows.append(measured(folder, count, tokens, threads))
    finally:  # what is known, where one failed or was stopped
        for line in report(folder, rows) if rows else ():
            say(line)


if __name__ == "__main__":
    typer.run(main)
