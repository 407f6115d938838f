"""One side of `healer bench --gpu`, measured in this process: `python -m healer.bench.gpu ORDER`.

ORDER is `Order` as JSON; figures are printed as JSON. On the CPU the same work is timed, so that
the measuring itself can be tested anywhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import torch
from pydantic import BaseModel, ConfigDict

from healer.bench.ceilings import best, machine
from healer.bench.contender import tile
from healer.bench.run import peak_rss
from healer.engines.base import Answer, Question
from healer.engines.medgemma.answers import margins
from healer.engines.medgemma.prompt import opening
from healer.imaging.tile import Tile
from healer.screening.question import COLORECTAL_CANCER

SideName = Literal["healer", "generate", "ceilings"]
SQUARE = {"cuda": 8192, "cpu": 256}  # of the matrices multiplied
BUFFER_BYTES = {"cuda": 4 << 30, "cpu": 1 << 22}
PRODUCTS = 10  # queued at once, so that launching them counts for nothing


class Order(BaseModel):
    """`device` is torch's; `tokens` are written after a verdict; each figure is taken `repeats`
    times at each of `batches`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: SideName
    device: str
    checkpoint: Path
    question: str
    tokens: int
    repeats: int
    batches: tuple[int, ...]


class Side(Protocol):
    prompt_tokens: int

    def verdicts(self, tiles: Sequence[Tile]) -> None: ...

    def answers(self, tiles: Sequence[Tile], tokens: int) -> None: ...

    @property
    def how(self) -> object: ...


class Healer:
    """Its engine on a GPU, below the level of sentences."""

    def __init__(self, folder: Path, device: str, question: str) -> None:
        from healer.engines.medgemma import loading
        from healer.engines.medgemma.static import StaticGemma

        asked = Question("bench", question, COLORECTAL_CANCER.subject)
        plan = loading.Plan(folder, asked, "bench", device, "bfloat16", "none")
        with loading.offline(), loading.quiet():
            read, _ = loading.read(plan)
        self._gemma = StaticGemma(read.model, read.processor, asked)
        self._gemma.stops = frozenset()  # random weights stop anywhere
        self._opening = self._gemma.encode(opening(asked, Answer.YES))
        self.prompt_tokens = 0

    def verdicts(self, tiles: Sequence[Tile]) -> None:
        logits, seen = self._gemma.prefill(tiles)
        margins(logits, self._gemma.answers)  # waits for the device
        self.prompt_tokens = seen[0].tokens

    def answers(self, tiles: Sequence[Tile], tokens: int) -> None:
        logits, seen = self._gemma.prefill(tiles)
        margins(logits, self._gemma.answers)
        rows = self._gemma.continue_rows(seen, [self._opening] * len(tiles))
        for row in rows:
            for _ in range(tokens):
                next(row)

    @property
    def how(self) -> object:
        return self._gemma.how


def measure(order: Order) -> dict[str, object]:
    if order.side == "ceilings":
        return ceilings(order.device)
    started = time.perf_counter()
    side = opened(order)
    loaded = time.perf_counter() - started
    side.answers([tile(0)], 2)
    first = time.perf_counter() - started
    verdicts = timed(order, side.verdicts, 1)
    figures = [batch(order, side, size) for size in order.batches]
    return {
        "loaded": loaded,
        "first": first,
        "verdicts": verdicts,
        "prompt_tokens": side.prompt_tokens,
        "batches": figures,
        "how": side.how,
    }


def opened(order: Order) -> Side:
    if order.side == "healer":
        return Healer(order.checkpoint, order.device, order.question)
    from benchmarks.plain_generate import Generate

    return Generate(order.checkpoint, order.device, order.question)


def batch(order: Order, side: Side, size: int) -> dict[str, object]:
    """Seconds of whole batches, with all tokens and with one, and the most memory that took."""
    forget_peak(order.device)
    whole = timed(order, lambda tiles: side.answers(tiles, order.tokens), size)
    begun = timed(order, lambda tiles: side.answers(tiles, 1), size)
    return {"size": size, "whole": whole, "begun": begun, "peak": peak(order.device)}


def timed(order: Order, work: Callable[[Sequence[Tile]], None], size: int) -> list[float]:
    """Seconds of `work` on tiles never seen, after once that does not count."""
    times = []
    for number in range(order.repeats + 1):
        tiles = [tile(1000 * size + number * size + index) for index in range(size)]
        started = time.perf_counter()
        work(tiles)
        times.append(time.perf_counter() - started)
    return times[1:]


def forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> int:
    """Bytes the card had to give, or on the CPU the most that was ever resident."""
    return torch.cuda.max_memory_reserved() if device == "cuda" else peak_rss()


def ceilings(device: str) -> dict[str, object]:
    """The device's name and memory, bfloat16 operations a second and bytes read or written."""
    side = SQUARE[device]
    left, right = (torch.randn(side, side, dtype=torch.bfloat16, device=device) for _ in "ab")
    source = torch.ones(BUFFER_BYTES[device] // 4, dtype=torch.int32, device=device)
    target = torch.empty_like(source)
    products = best(finished(lambda: torch.mm(left, right), device))
    copies = best(finished(lambda: target.copy_(source), device))
    return {
        **about(device),
        "matrix": PRODUCTS * 2.0 * side**3 / products,
        "bandwidth": PRODUCTS * 2.0 * source.nbytes / copies,
    }


def finished(work: Callable[[], object], device: str) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(PRODUCTS):
            work()
        if device == "cuda":
            torch.cuda.synchronize()

    return repeated


def about(device: str) -> dict[str, object]:
    """`used` is what others, and the driver, hold of its memory."""
    torch_version = {"torch": torch.__version__}
    if device == "cpu":
        here = machine()
        return {"name": here["processor"], "memory": here["memory"], "used": 0, **torch_version}
    free, total = torch.cuda.mem_get_info()
    return {
        "name": torch.cuda.get_device_name(),
        "memory": total,
        "used": total - free,
        **torch_version,
    }


if __name__ == "__main__":
    # What a library prints goes to standard error.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    out.write(json.dumps(measure(Order.model_validate_json(sys.argv[1]))) + "\n")
    out.flush()
