"""Runs into figures: medians over all rounds, their spread, and ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from benchmarks.medgemma.ceilings import Floor
from benchmarks.medgemma.rounds import Run


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of what was measured, the least, the most and how many."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Figures:
    """One system over all rounds. Seconds, tokens a second and bytes.

    `imports`, `loaded` and `first` count from the start of the process; `verdict`, `second` and
    `whole` from the question.
    """

    name: str
    title: str
    imports: Spread
    loaded: Spread
    first: Spread
    verdict: Spread
    second: Spread
    decode: Spread
    whole: Spread
    peak_rss: int
    peak_anonymous: int
    disk: int
    prompt_tokens: int
    others: float
    versions: dict[str, str]


def figures(title: str, disk: int, runs: Sequence[Run]) -> Figures:
    """Of a system's finished runs, at least one."""
    done = [run.stages["done"] for run in runs]
    answers = [answer for stage in done for answer in stage["answers"]]
    return Figures(
        name=runs[0].name,
        title=title,
        imports=Spread.of([run.stages["imports"]["at"] for run in runs]),
        loaded=Spread.of([run.stages["load"]["at"] for run in runs]),
        first=Spread.of([run.stages["first_verdict"]["at"] for run in runs]),
        verdict=Spread.of([answer[0] for answer in answers]),
        second=Spread.of([stage["second_verdict"] for stage in done]),
        decode=Spread.of([decoded(answer) for answer in answers]),
        whole=Spread.of([answer[-1] for answer in answers]),
        peak_rss=max(stage["peak_rss"] for stage in done),
        peak_anonymous=max(run.peak_anonymous for run in runs),
        disk=disk,
        prompt_tokens=done[-1]["prompt_tokens"],
        others=max(run.others for run in runs),
        versions=done[-1]["versions"],
    )


def decoded(ticks: Sequence[float]) -> float:
    """Tokens a second after the first one that follows the verdict."""
    return (len(ticks) - 2) / max(ticks[-1] - ticks[1], 1e-9)


def ratios(ours: Figures, theirs: Figures) -> dict[str, float]:
    """How many times faster or smaller `ours` is, by medians; above 1 is better."""
    return {
        "verdict": theirs.verdict.median / ours.verdict.median,
        "decode": ours.decode.median / theirs.decode.median,
        "whole": theirs.whole.median / ours.whole.median,
        "first": theirs.first.median / ours.first.median,
        "peak_rss": theirs.peak_rss / ours.peak_rss,
    }


def rows(found: Iterable[Figures]) -> list[dict[str, object]]:
    """For a CSV: a system a row, a spread in three columns."""
    flat: list[dict[str, object]] = []
    for each in found:
        row: dict[str, object] = {}
        for name, value in asdict(each).items():
            if name == "versions":
                row[name] = " ".join(f"{library} {number}" for library, number in value.items())
            elif isinstance(value, dict):
                for part in ("median", "low", "high"):
                    row[f"{name}_{part}"] = value[part]
            else:
                row[name] = value
        flat.append(row)
    return flat


INK, QUIET, LINE = "#241a21", "#6b5a66", "#d9cdd5"
OURS, BASELINES = "#7a2e5d", "#b08a2e"
GIB = 1024**3

Value = Callable[[Figures], float]
PANELS: tuple[tuple[str, str, Value], ...] = (
    ("Verdict", "s, less is better", lambda each: each.verdict.median),
    ("Decoding", "tokens/s, more is better", lambda each: each.decode.median),
    ("Whole answer", "s, less is better", lambda each: each.whole.median),
    ("Peak memory", "GiB, less is better", lambda each: each.peak_rss / GIB),
)


def draw(found: Sequence[Figures], least: Floor | None, tokens: int, file: Path) -> None:
    """A panel a figure; the dashed line is the machine's floor."""
    canvas = Canvas(figsize=(11, 0.45 * len(found) + 1.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(canvas)
    lines = (
        [least.verdict, least.decode, least.answer(tokens), None] if least else [None] * len(PANELS)
    )
    panels = canvas.subplots(1, len(PANELS), sharey=True)
    for axes, (title, unit, value), line in zip(panels, PANELS, lines, strict=True):
        _bars(axes, found, value)
        axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
        axes.set_xlabel(unit, color=QUIET, fontsize=8.5)
        if line is not None:
            axes.axvline(line, color=INK, linewidth=1, linestyle="--")
    canvas.savefig(file, dpi=160, metadata={"Software": None})


def _bars(axes: Axes, found: Sequence[Figures], value: Value) -> None:
    titles = [each.title for each in found]
    values = [value(each) for each in found]
    colours = [OURS if each.name.startswith("healer") else BASELINES for each in found]
    bars = axes.barh(titles, values, color=colours, height=0.62)
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8, color=INK)
    axes.set_xlim(0, max(values) * 1.22)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.tick_params(colors=QUIET, labelsize=8.5, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
