"""Plots of one evaluation, as PNG files that read well on paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from healer.evaluation.metrics import Figure
from healer.evaluation.results import Results, curves
from healer.evaluation.shifts import TITLES

INK, QUIET, LINE = "#241a21", "#6b5a66", "#d9cdd5"
ENGINE, BASELINE = "#7a2e5d", "#b08a2e"
YES, NO, BETWEEN = "#b3365b", "#3f7f8c", "#c9a23f"
SQUARE, WIDE = (3.8, 3.9), 5.4


def draw(results: Results, baseline_curve: list[list[float]] | None, folder: Path) -> list[Path]:
    """The plots that the figures allow, in the order a report shows them."""
    found = curves(results.scored, results.cut)
    files = []
    if "roc" in found:
        files.append(_roc(found["roc"], baseline_curve, results, folder / "roc.png"))
    if "reliability" in found:
        files.append(_reliability(found["reliability"], folder / "reliability.png"))
        files.append(_risk(found["risk_coverage"], results, folder / "risk-coverage.png"))
        files.append(_classes(results, folder / "classes.png"))
    if len(results.figures) > 1 and results.figures["none"]["auroc"].value is not None:
        files.append(_shifts(results, folder / "shifts.png"))
    return files


@contextmanager
def _plot(file: Path, size: tuple[float, float], title: str, x: str, y: str) -> Iterator[Axes]:
    canvas = Canvas(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axes.set_xlabel(x, color=QUIET, fontsize=9)
    axes.set_ylabel(y, color=QUIET, fontsize=9)
    axes.tick_params(colors=QUIET, labelsize=8.5, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.grid(color=LINE, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    yield axes
    canvas.savefig(file, dpi=160, metadata={"Software": None})


def _legend(axes: Axes, **where: Any) -> None:  # noqa: ANN401 - matplotlib's own keywords
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, **where)


def _roc(
    points: list[list[float]], baseline: list[list[float]] | None, results: Results, file: Path
) -> Path:
    area = results.figures["none"]["auroc"].value or 0.0
    with _plot(file, SQUARE, "ROC", "1 − specificity", "sensitivity") as axes:
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        if baseline:
            other = results.baseline["none"]["auroc"].value or 0.0
            axes.plot(
                *zip(*baseline, strict=True),
                color=BASELINE,
                linewidth=1.4,
                label=f"colour {other:.3f}",
            )
        axes.plot(*zip(*points, strict=True), color=ENGINE, linewidth=2, label=f"engine {area:.3f}")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_box_aspect(1)
        _legend(axes, loc="lower right")
    return file


def _reliability(bins: list[list[float]], file: Path) -> Path:
    predicted, observed, count = zip(*bins, strict=True)
    with _plot(file, SQUARE, "Reliability", "probability given", "share that was yes") as axes:
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        axes.plot(predicted, observed, color=ENGINE, linewidth=1.2, marker="o", markersize=5)
        spread = (
            f"{int(min(count))}"
            if min(count) == max(count)
            else (f"{int(min(count))}–{int(max(count))}")
        )
        axes.text(0.98, 0.03, f"{spread} tiles a point", ha="right", color=QUIET, fontsize=8.5)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_box_aspect(1)
    return file


def _risk(points: list[list[float]], results: Results, file: Path) -> Path:
    coverage, risk = zip(*points, strict=True)
    held = results.figures["none"]["indeterminate"].value or 0.0
    with _plot(file, SQUARE, "Risk–coverage", "share answered", "errors among answers") as axes:
        axes.plot(coverage, risk, color=ENGINE, linewidth=1.8)
        if held:
            axes.axvline(1 - held, color=BETWEEN, linewidth=1.2, label="as the verdict is given")
        axes.set(xlim=(0, 1.01), ylim=(0, max(0.02, max(risk) * 1.08)))
        axes.set_box_aspect(1)
        _legend(axes, loc="upper left")
    return file


def _classes(results: Results, file: Path) -> Path:
    """Each class's probabilities, yes first, and the cut or the band between the cuts."""
    scored = results.scored
    labels = sorted(
        set(scored.labels.tolist()), key=lambda name: (not _is_yes(results, name), name)
    )
    size = (WIDE, max(2.4, 0.42 * len(labels) + 1.1))
    with _plot(file, size, "Probability by class", "probability of yes", "") as axes:
        jitter = np.random.default_rng(0)
        for at, label in enumerate(reversed(labels)):
            values = scored.probabilities[scored.labels == label]
            height = at + jitter.uniform(-0.28, 0.28, len(values))
            colour = YES if _is_yes(results, label) else NO
            axes.scatter(values, height, s=5, color=colour, alpha=0.35, linewidths=0)
            axes.plot([np.median(values)] * 2, [at - 0.36, at + 0.36], color=INK, linewidth=1.6)
        _cuts(axes, results)
        axes.set_yticks(range(len(labels)), list(reversed(labels)))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(labels) - 0.4))
    return file


def _is_yes(results: Results, label: str) -> bool:
    return bool(results.dataset["classes"][label]["means"] == "yes")


def _cuts(axes: Axes, results: Results) -> None:
    held = results.calibration
    if held and held["lower"] < held["upper"]:
        axes.axvspan(held["lower"], held["upper"], color=BETWEEN, alpha=0.16, linewidth=0)
    else:
        axes.axvline(results.cut, color=BETWEEN, linewidth=1.2)


def _shifts(results: Results, file: Path) -> Path:
    names = list(reversed(results.figures))
    size = (WIDE, max(2.4, 0.42 * len(names) + 1.1))
    with _plot(file, size, "AUROC under shift", "AUROC, 95 % interval", "") as axes:
        for offset, colour, label, figures in (
            (0.12, ENGINE, "engine", results.figures),
            (-0.12, BASELINE, "colour baseline", results.baseline),
        ):
            found = [(at, figures[n]["auroc"]) for at, n in enumerate(names) if n in figures]
            _dots(axes, [(at + offset, figure) for at, figure in found], colour, label)
        axes.set_yticks(range(len(names)), [TITLES[name] for name in names])
        axes.set_xlim(right=1.005)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.figure.legend(
            loc="outside lower right", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK
        )
    return file


def _dots(axes: Axes, found: list[tuple[float, Figure]], colour: str, label: str) -> None:
    shown = [(at, figure) for at, figure in found if figure.value is not None]
    for at, figure in shown:
        if figure.low is not None and figure.high is not None:
            axes.plot([figure.low, figure.high], [at, at], color=colour, linewidth=1.4)
    if shown:
        values = [figure.value or 0.0 for _, figure in shown]
        axes.scatter(values, [at for at, _ in shown], s=22, color=colour, label=label, zorder=3)
