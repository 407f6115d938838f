"""The report: one HTML file that loads nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from healer import NOTICE
from healer.evaluation.metrics import TITLES, Figure
from healer.evaluation.results import LOUD, Results
from healer.evaluation.shifts import NONE
from healer.evaluation.shifts import TITLES as SHIFT_TITLES

NAME = "report.html"
SHARES = frozenset({"indeterminate"})
ALT = {
    "roc.png": "ROC curve of the engine and of the colour baseline",
    "reliability.png": "Reliability diagram",
    "risk-coverage.png": "Errors among answers as the least sure are withheld",
    "classes.png": "Probability of yes by original class",
    "shifts.png": "AUROC of engine and baseline under each shift",
}
HEADLINES = ("auroc", "balanced_accuracy", "indeterminate", "ece")


def write(results: Results, plots: Sequence[Path], folder: Path) -> Path:
    page = Template(files("healer.evaluation").joinpath("report.html").read_text(encoding="utf-8"))
    dataset = results.dataset
    file = folder / NAME
    file.write_text(
        page.substitute(
            title=escape(f"{dataset['name']} · {results.engine['name']}"),
            dataset=escape(dataset["title"] or dataset["name"]),
            subtitle=escape(subtitle(results)),
            notes="".join(map(_note, results.notes)),
            headlines="".join(_headline(results, name) for name in HEADLINES),
            figures=figures_table(results),
            plots="".join(map(_plot, plots)),
            shifts=shifts_table(results),
            classes=classes_table(results),
            provenance=provenance(results),
            notice=escape(NOTICE),
        ),
        encoding="utf-8",
    )
    return file


def subtitle(results: Results) -> str:
    dataset = results.dataset
    cases = f"{dataset['cases']:,} cases" if dataset["cases_known"] else "cases unknown"
    return (
        f"{dataset['tiles']:,} tiles, {dataset['positives']:,} of them cancer · {cases} · "
        f"{results.engine['name']}"
    )


def shown(name: str, figure: Figure) -> str:
    """A value as a person reads it; "—" where there is none."""
    if figure.value is None:
        return "—"
    return f"{100 * figure.value:.1f} %" if name in SHARES else f"{figure.value:.3f}"


def span(name: str, figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    if name in SHARES:
        return f"{100 * figure.low:.1f}–{100 * figure.high:.1f} %"
    return f"{figure.low:.3f}–{figure.high:.3f}"


def _cell(name: str, figure: Figure | None) -> str:
    if figure is None:
        return '<td class="none"></td>'
    why = f' title="{escape(figure.reason)}"' if figure.reason else ""
    reason = f"<small>{escape(figure.reason or '')}</small>" if figure.value is None else ""
    interval = f"<small>{span(name, figure)}</small>" if figure.low is not None else reason
    return f"<td{why}>{shown(name, figure)}{interval}</td>"


def _note(note: str) -> str:
    loud = ' class="loud"' if note.startswith(LOUD) else ""
    return f"<li{loud}>{escape(note)}</li>"


def _headline(results: Results, name: str) -> str:
    figure = results.figures[NONE][name]
    under = span(name, figure) or figure.reason or ""
    return (
        f"<div><dt>{escape(TITLES[name].split(',')[0])}</dt>"
        f"<dd>{shown(name, figure)}<small>{escape(under)}</small></dd></div>"
    )


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(name: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def figures_table(results: Results) -> str:
    ours, colour = results.figures[NONE], results.baseline.get(NONE, {})
    rows = [
        _row(TITLES[name], [_cell(name, ours[name]), _cell(name, colour.get(name))])
        for name in TITLES
    ]
    return _table(["", "engine", "colour baseline"], rows)


def shifts_table(results: Results) -> str:
    names = ("auroc", "balanced_accuracy", "indeterminate", "ece")
    rows = [
        _row(
            SHIFT_TITLES[shift],
            [
                *(_cell(name, figures[name]) for name in names),
                _cell("auroc", results.baseline.get(shift, {}).get("auroc")),
            ],
        )
        for shift, figures in results.figures.items()
    ]
    heads = ["", "AUROC", "balanced accuracy", "indeterminate", "ECE", "baseline's AUROC"]
    return _table(heads, rows)


def classes_table(results: Results) -> str:
    rows = []
    for label, counts in results.confusion.items():
        means = results.dataset["classes"][label]["means"]
        area = results.against_each_class.get(label)
        numbers = [f"<td>{counts[kind] or '·'}</td>" for kind in counts]
        rows.append(_row(label, [f"<td>{means}</td>", *numbers, _cell("auroc", area)]))
    kinds = list(next(iter(results.confusion.values()), {}))
    return _table(["class", "truth", *kinds, "AUROC of cancer against it"], rows)


def provenance(results: Results) -> str:
    dataset, held = results.dataset, results.calibration
    seconds = results.seconds_per_tile
    facts = {
        "dataset": f"{dataset['name']}, tiles and classes {dataset['fingerprint']}",
        "licence": dataset["licence"],
        "publisher": dataset["page"],
        **{name: value for name, value in results.engine.items() if name != "name"},
        "calibration": calibration_words(results),
        "fitted on": held["fitted_on"]["dataset"] if held else None,
        "seconds a tile": f"{seconds['median']:.4f} (median, engine alone)" if seconds else None,
        "intervals": f"95 %, {results.resamples:,} resamples of cases, seed 0",
    }
    rows = [
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{_linked(str(value))}</dd>"
        for name, value in facts.items()
        if value not in (None, "", [], ())
    ]
    return f"<dl>{''.join(rows)}</dl>"


def calibration_words(results: Results) -> str:
    held = results.calibration
    if held is None:
        return "none: the margin as it comes, cut at 0.5"
    return f"{held['id']}: no up to {held['lower']:.3f}, yes from {held['upper']:.3f}"


def _linked(text: str) -> str:
    safe = escape(text)
    return f'<a href="{safe}" rel="noreferrer">{safe}</a>' if text.startswith("https://") else safe


def _plot(file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img class="{file.stem}" alt="{ALT[file.name]}" src="data:image/png;base64,{data}">'
