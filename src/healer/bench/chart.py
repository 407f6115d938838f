"""The figures as bars, a PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from healer.bench.floor import Floor
from healer.bench.summary import Figures

INK, QUIET, LINE = "#241a21", "#6b5a66", "#d9cdd5"
OURS, RIVALS = "#7a2e5d", "#b08a2e"
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
    colours = [OURS if each.name.startswith("healer") else RIVALS for each in found]
    bars = axes.barh(titles, values, color=colours, height=0.62)
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8, color=INK)
    axes.set_xlim(0, max(values) * 1.22)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.tick_params(colors=QUIET, labelsize=8.5, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
