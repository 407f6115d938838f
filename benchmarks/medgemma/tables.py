"""What `python -m benchmarks medgemma` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.idle import ALLOWED
from benchmarks.medgemma.result import Result
from benchmarks.medgemma.rounds import Run
from benchmarks.medgemma.summary import Figures, Spread, ratios
from benchmarks.medgemma.systems import SYSTEMS
from healer.settings.loading import Settings

GIB, GIGA = 1024**3, 1e9
SECOND = (
    "Second question: another one about the tile before; Healer, OpenVINO keeps images in "
    f"{Settings.model_fields['image_cache_mb'].default} MB, the default."
)
WIDTH = 120  # the tables' own, in a file as well; a narrow terminal wraps lines


def show(result: Result, limit: int | None, console: Console | None = None) -> None:
    console = console or Console(highlight=False, width=max(WIDTH, Console().width))
    console.print(machine_lines(result))
    if limit is not None:
        console.print(limited_table(result.limited, limit))
        return
    if found := result.found:
        console.print(answer_table(result, found))
        console.print(SECOND)
        console.print(start_table(found))
    if len(found) > 1:
        console.print(ratio_table(found))
    for name, why in result.missing.items():
        console.print(f"{name}: {why}", markup=False)


def machine_lines(result: Result) -> str:
    machine, rates = result.machine, result.rates
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory'] / GIB:.0f} GiB; "
        + " ".join(machine["features"]),
        f"Ceilings: read {rates.read / GIGA:.1f} GB/s",
    ]
    for at in dict.fromkeys(each["at"] for each in machine["matrices"]):
        best: dict[str, tuple[float, str]] = {}
        for each in machine["matrices"]:
            if each["at"] == at:
                rate = (float(each["rate"]), str(each["through"]))
                best[each["type"]] = max(best.get(each["type"], (0.0, "")), rate)
        best_rates = (f"{kind} {rate / GIGA:.0f} ({by})" for kind, (rate, by) in best.items())
        lines.append(f"Matrices, {at}, GFLOP/s: {', '.join(best_rates)}")
    others = max([result.others, *(run.others for run in (*result.runs, *result.limited))])
    if others > ALLOWED:
        lines.append(f"NOT QUIET: others used up to {others:.2f} cores; times are too long")
    return "\n".join(lines)


def answer_table(result: Result, found: Sequence[Figures]) -> Table:
    made = Table(
        "System",
        "Verdict, s",
        "Second question, s",
        "Decode, tok/s",
        f"Verdict + {result.tokens}, s",
        title=f"{result.shape.name}, {found[0].prompt_tokens} prompt tokens: median (least–most)",
    )
    for each in found:
        values = (each.verdict, each.second, each.decode, each.whole)
        made.add_row(each.title, *map(spread, values))
    if least := result.floor:
        best = (least.decode, least.answer(result.tokens))
        made.add_row("Floor", f"{least.verdict:.3g}", "", *(f"{value:.3g}" for value in best))
    return made


def start_table(found: Sequence[Figures]) -> Table:
    made = Table(
        "System", "Imports, s", "Loaded, s", "First verdict, s", "Peak, GiB", "Anon.", "On disk",
        title="From the start of the process, and memory",
    )  # fmt: skip
    for each in found:
        times = (each.imports, each.loaded, each.first)
        sizes = (each.peak_rss, each.peak_anonymous, each.disk)
        made.add_row(each.title, *map(spread, times), *(f"{size / GIB:.2f}" for size in sizes))
    return made


def spread(value: Spread) -> str:
    if value.count == 1:
        return f"{value.median:.3g}"
    return f"{value.median:.3g} ({value.low:.3g}–{value.high:.3g})"


def ratio_table(found: Sequence[Figures]) -> Table:
    first, *others = found
    made = Table(
        f"{first.title} against", "Verdict", "Decode", "Whole answer", "First verdict", "Memory"
    )
    for each in others:
        made.add_row(each.title, *(f"{ratio:.2f}×" for ratio in ratios(first, each).values()))
    return made


def limited_table(runs: Sequence[Run], limit: int) -> Table:
    made = Table(
        "System", "Loaded", "Verdict", "Answered", "Anonymous, GiB", "Outcome",
        title=f"Inside {limit / GIB:.2f} GiB, page cache included, no swap",
    )  # fmt: skip
    for run in runs:
        reached = ["yes" if stage in run.stages else "no" for stage in STAGES]
        anonymous = f"{run.peak_anonymous / GIB:.2f}"
        made.add_row(SYSTEMS[run.name].title, *reached, anonymous, Text(run.outcome))
    return made


STAGES = ("load", "first_verdict", "done")
