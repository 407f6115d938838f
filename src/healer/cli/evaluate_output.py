"""The tables of `healer eval`, on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from healer import NOTICE
from healer.evaluation.compare import Comparison
from healer.evaluation.metrics import TITLES, Figure
from healer.evaluation.report import shown, span, subtitle
from healer.evaluation.results import LOUD, Results
from healer.evaluation.shifts import NONE
from healer.evaluation.shifts import TITLES as SHIFT_TITLES


def show(results: Results, page: Path) -> None:
    console = Console(highlight=False, markup=False)
    console.print(Text(subtitle(results), "bold"))
    for note in results.notes:
        style = "bold red" if note.startswith(LOUD) else "yellow"
        console.print(Text(note, style))
    console.print(figures(results))
    if len(results.figures) > 1:
        console.print(shifts(results))
    console.print(classes(results))
    if results.seconds_per_tile:
        console.print(f"{results.seconds_per_tile['median']:.4f} seconds a tile (median)")
    console.print(Text(f"{page.parent}: {page.name}, results.json, answers.csv and plots"))
    console.print(NOTICE)


def cell(name: str, figure: Figure | None) -> Text:
    if figure is None:
        return Text("")
    if figure.value is None:
        return Text.assemble("— ", (f"({figure.reason})", "dim"))
    interval = span(name, figure)
    return Text.assemble(shown(name, figure), (f"  {interval}" if interval else "", "dim"))


def figures(results: Results) -> Table:
    table = Table("", "Engine", "Colour baseline", title="Figures, with 95 % intervals by case")
    for name, title in TITLES.items():
        colour = results.baseline.get(NONE, {}).get(name)
        table.add_row(title, cell(name, results.figures[NONE][name]), cell(name, colour))
    return table


def shifts(results: Results) -> Table:
    heads = ("", "AUROC", "Balanced accuracy", "Indeterminate", "ECE", "Baseline's AUROC")
    table = Table(*heads, title="Under shift")
    for shift, values in results.figures.items():
        table.add_row(
            SHIFT_TITLES[shift],
            cell("auroc", values["auroc"]),
            Text(shown("balanced_accuracy", values["balanced_accuracy"])),
            Text(shown("indeterminate", values["indeterminate"])),
            Text(shown("ece", values["ece"])),
            Text(shown("auroc", results.baseline.get(shift, {}).get("auroc", Figure(None)))),
        )
    return table


def classes(results: Results) -> Table:
    kinds = list(next(iter(results.confusion.values()), {}))
    heads = ["Class", "Truth", *(kind.capitalize() for kind in kinds), "AUROC of cancer against it"]
    table = Table(*heads, title="By original class")
    for label, counts in results.confusion.items():
        means = results.dataset["classes"][label]["means"]
        area = cell("auroc", results.against_each_class.get(label))
        table.add_row(Text(label), means, *(str(counts[kind] or "·") for kind in kinds), area)
    return table


def show_comparison(comparison: Comparison, first: Path, second: Path, most: float) -> None:
    console = Console(highlight=False, markup=False)
    table = Table("", "B against A", title=f"A: {first}\nB: {second}")
    table.add_row("tiles", f"{comparison.tiles:,}")
    table.add_row("verdicts that agree", f"{comparison.agreement:.2%}")
    for change, count in comparison.changed.items():
        table.add_row(f"  {change}", f"{count:,}")
    for name, value in comparison.margins.items():
        table.add_row(f"margin difference, {name}", f"{value:.4g}")
    table.add_row("right only in B / only in A", f"{comparison.better:,} / {comparison.worse:,}")
    table.add_row("McNemar's exact test, p", f"{comparison.p_value:.3g}")
    table.add_row("AUROC lost", _loss(comparison.loss))
    console.print(table)
    outcome = "past it" if comparison.lost(most) else "within it"
    console.print(
        f"Allowed loss in AUROC, and share of verdicts that may change: {most:g}; {outcome}."
    )


def _loss(loss: Figure) -> str:
    if loss.value is None:
        return f"— ({loss.reason})"
    interval = f"  {loss.low:+.4f} to {loss.high:+.4f}" if loss.low is not None else ""
    return f"{loss.value:+.4f}{interval}"
