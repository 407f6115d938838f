"""`healer bench --gpu`: Healer's engine and plain `generate`, in turn, against the card."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from healer.bench import checkpoint, idle, tokenizer
from healer.bench.floor import Floor, Rates, floor
from healer.bench.rounds import environment, last_lines
from healer.bench.shapes import SHAPES, Shape
from healer.bench.summary import Spread
from healer.commands.bench_tables import GIB, WIDTH, spread
from healer.errors import ContenderMissing

SIDES = {"healer": "Healer", "generate": "plain generate"}
BATCHES = (1, 8, 32)
NAME = "healer bench --gpu"

progress = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Request:
    shape: str
    out: Path
    checkpoint: Path
    rounds: int = 3
    repeats: int = 2
    tokens: int = 30
    seed: int = 0
    tokenizer: Path | None = None
    anyway: bool = False
    batches: tuple[int, ...] = BATCHES


@dataclass(slots=True)
class Result:
    """`runs` are the figures of each process of a side, `failures` what went wrong in others."""

    shape: Shape
    tokens: int
    card: dict[str, Any]
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {n: [] for n in SIDES})
    failures: dict[str, list[str]] = field(default_factory=lambda: {n: [] for n in SIDES})

    @property
    def least(self) -> Floor | None:
        """At the card's own rates, with weights of two bytes."""
        every = [run for runs in self.runs.values() for run in runs]
        if not every:
            return None
        matrix = self.card["matrix"]
        rates = Rates(matrix=matrix, attention=matrix, read=self.card["bandwidth"])
        return floor(self.shape, every[0]["prompt_tokens"], rates, weight_bytes=2)


def bench_gpu(request: Request, device: str = "cuda") -> Result:
    """Measures, prints and saves gpu.json. `device` is "cpu" only to try the measuring itself.

    Raises BenchError.
    """
    if device == "cuda":
        check_card()
    shape = SHAPES[request.shape]
    checkpoint.make(request.checkpoint, checkpoint.Recipe(shape, request.seed, request.tokenizer))
    idle.check(idle.used_by_others(), anyway=request.anyway)
    question, _ = tokenizer.question_of(
        request.checkpoint, shape.vision.tokens, shape.prompt_tokens
    )
    order = {
        "device": device,
        "checkpoint": str(request.checkpoint),
        "question": question,
        "tokens": request.tokens,
        "repeats": request.repeats,
        "batches": request.batches,
    }
    result = Result(shape, request.tokens, run({"side": "ceilings", **order}))
    for number in range(request.rounds):
        for side in SIDES:
            outcome = "answered"
            try:
                result.runs[side].append(run({"side": side, **order}))
            except ContenderMissing as why:
                result.failures[side].append(outcome := why.reason)
            progress.print(f"round {number + 1}, {SIDES[side]}: {outcome}", markup=False)
    show(result)
    save(result, request.out)
    return result


def check_card() -> None:
    import torch

    if not torch.cuda.is_available():
        raise ContenderMissing(NAME, f"torch {torch.__version__} sees no CUDA device")


def run(order: Mapping[str, object]) -> dict[str, Any]:
    """In a fresh process. Raises ContenderMissing with its last words."""
    command = [sys.executable, "-m", "healer.bench.gpu", json.dumps(order)]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env=environment()
    )
    if done.returncode:
        words = last_lines(done.stderr.splitlines())
        raise ContenderMissing(str(order["side"]), f"exit {done.returncode}: {words}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def save(result: Result, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    least = result.least
    saved = {
        **asdict(result),
        "floor": asdict(least) if least else None,
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    (out / "gpu.json").write_text(json.dumps(saved, indent=2) + "\n")
    progress.print(f"Saved {out / 'gpu.json'}", markup=False)


def show(result: Result, console: Console | None = None) -> None:
    console = console or Console(highlight=False, width=max(WIDTH, Console().width))
    card = result.card
    console.print(
        f"{card['name']}, {card['memory'] / GIB:.0f} GiB, of which {card['used'] / GIB:.1f} were "
        f"taken before; torch {card['torch']}\n"
        f"Ceilings: bfloat16 matrices {card['matrix'] / 1e12:.3g} TFLOP/s, "
        f"memory {card['bandwidth'] / 1e9:.0f} GB/s",
        markup=False,
    )
    if result.least:
        console.print(table(result, result.least))
    for run in result.runs["healer"][-1:]:
        console.print(f"How Healer ran: {told(run['how'])}", markup=False)
    for side, reasons in result.failures.items():
        if reasons:
            many = len(reasons) + len(result.runs[side])
            text = f"{SIDES[side]}: {len(reasons)} of {many} rounds failed; last, {reasons[-1]}"
            console.print(text, markup=False)


def told(how: Mapping[str, str]) -> str:
    """By way rather than by work."""
    works = {way: [work for work in how if how[work] == way] for way in how.values()}
    return "; ".join(f"{way} ({' · '.join(names)})" for way, names in works.items())


@dataclass(frozen=True, slots=True)
class Row:
    """What each side was measured to do, and the best there could be; `more` of it is better."""

    name: str
    values: dict[str, list[float]]
    best: float | None = None
    more: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better Healer is."""
        ours, theirs = (self.values[side] for side in SIDES)
        return self._better(median(ours), median(theirs)) if ours and theirs else None

    @property
    def reached(self) -> float | None:
        """Of the best there could be, in [0, 1]."""
        ours = self.values["healer"]
        return self._better(median(ours), self.best) if ours and self.best else None

    def _better(self, ours: float, theirs: float) -> float:
        return ours / theirs if self.more else theirs / ours


def rows(result: Result, least: Floor) -> Iterator[Row]:
    verdicts = {
        side: [1000 * seconds for run in runs for seconds in run["verdicts"]]
        for side, runs in result.runs.items()
    }
    first = {side: [run["first"] for run in runs] for side, runs in result.runs.items()}
    yield Row("First answer, s from loading", first)
    yield Row("Verdict, ms", verdicts, 1000 * least.verdict)
    finished = next(filter(None, result.runs.values()))[0]
    for index in range(len(finished["batches"])):
        batches = {s: [run["batches"][index] for run in runs] for s, runs in result.runs.items()}
        yield from batch_rows(batches, least, result.tokens)


def batch_rows(
    batches: dict[str, list[dict[str, Any]]], least: Floor, tokens: int
) -> Iterator[Row]:
    """Of one size, for which each side has a batch a round."""
    size = next(filter(None, batches.values()))[0]["size"]
    rates = {s: [size / t for one in some for t in one["whole"]] for s, some in batches.items()}
    steps = {s: [1000 * step(one, tokens) for one in some] for s, some in batches.items()}
    peaks = {s: [one["peak"] / GIB for one in some] for s, some in batches.items()}
    yield Row(f"Answers/s, {size} at once", rates, size / least.answer(tokens, size), more=True)
    yield Row("  a token of each, ms", steps, 1000 / least.decode)
    yield Row("  memory, GiB", peaks)


def step(batch: dict[str, Any], tokens: int) -> float:
    """Seconds of one token of every answer, the first left out."""
    seconds = float(median(batch["whole"]) - median(batch["begun"]))
    return max(seconds / (tokens - 1), 1e-9)


def table(result: Result, least: Floor) -> Table:
    made = Table(
        "", *SIDES.values(), "Ratio", "Floor", "Reached",
        title=f"{result.shape.name}, {result.tokens} tokens after the verdict: median (least–most)",
        caption="Ratio: how many times better Healer is. Floor: at the card's own ceilings",
    )  # fmt: skip
    for row in rows(result, least):
        values = (row.values[side] for side in SIDES)
        made.add_row(
            row.name,
            *(spread(Spread.of(some)) if some else "–" for some in values),
            f"{row.ratio:.2f}×" if row.ratio is not None else "",
            f"{row.best:.3g}" if row.best else "",
            f"{row.reached:.0%}" if row.reached is not None else "",
        )
    return made
