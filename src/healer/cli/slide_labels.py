"""`healer eval` and `healer calibrate` with `--slides`: slides of known answer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from healer import NOTICE
from healer.cli.evaluate_run import cell
from healer.display import examples, percent, printable
from healer.errors.request import OutputNotWritable
from healer.evaluation.fetch import FOLDER
from healer.evaluation.metrics import TITLES, Figure, as_json
from healer.evaluation.published import LabelMapping
from healer.files.disk import save_record
from healer.slides.assessment import (
    AnsweredSlides,
    FittedSlides,
    SlideFigures,
    answered_slides,
    fit_slides,
    measure_slides,
)
from healer.slides.export import write_json
from healer.slides.score import CALIBRATION_FILE

RESULTS = "slide-results.json"
console = Console(highlight=False, markup=False)


def evaluate_slides(
    source: Path,
    answers: Path,
    yes: Iterable[str],
    ignore: Iterable[str],
    resamples: int,
    out: Path | None,
    data: Path = FOLDER,
) -> None:
    """Prints the figures and writes them beside the answers, or into `out`."""
    slides = answered_slides(source, answers, LabelMapping.of(yes, ignore), data)
    figures = measure_slides(slides, resamples)
    _head(slides)
    console.print(_table(figures))
    place = (out or answers) / RESULTS
    _write(place, slides, figures)
    console.print(f"{place}: the same figures")
    console.print(NOTICE)


def _head(slides: AnsweredSlides) -> None:
    scored = slides.scored
    cases = f"{len(set(scored.cases.tolist())):,} cases" if slides.has_cases else "cases unknown"
    console.print(
        Text(
            f"{slides.name}: {len(scored):,} slides, {int(scored.truth.sum()):,} of them cancer, "
            f"{cases}; of their tissue, {percent(float(slides.read_shares.mean()), 1)} was read",
            "bold",
        )
    )
    if known := slides.known:
        console.print(
            f"{known.title}. Licence: {known.licence} ({known.page}). {known.note}".strip()
        )
    if slides.left_out:
        counts = ", ".join(f"{count:,} {label}" for label, count in slides.left_out.items())
        console.print(Text(printable(f"Left out: {counts}."), "yellow"))
    if slides.unanswered:
        count, names = len(slides.unanswered), examples(slides.unanswered)
        have = "listed slide has" if count == 1 else "listed slides have"
        console.print(Text(f"{count:,} {have} no answer ({names}).", "yellow"))


def _table(figures: SlideFigures) -> Table:
    table = Table("", "Slides", title="Figures, with 95 % intervals by case")
    for name, title in TITLES.items():
        table.add_row(title, cell(name, figures.figures[name]))
    table.add_row("answered no (ruled out)", _share(figures.answered_no))
    table.add_row("answered yes", _share(figures.answered_yes))
    table.add_row("cancer answered no", _share(figures.missed))
    return table


def _share(figure: Figure) -> Text:
    return cell("indeterminate", figure)  # shown as a share, too


def _write(place: Path, slides: AnsweredSlides, figures: SlideFigures) -> None:
    shares = {
        "answered_no": figures.answered_no,
        "answered_yes": figures.answered_yes,
        "cancer_answered_no": figures.missed,
    }
    document = {
        "notice": NOTICE,
        "dataset": slides.name,
        "slides": len(slides.scored),
        "positives": int(slides.scored.truth.sum()),
        "cases": len(set(slides.scored.cases.tolist())),
        "unanswered": list(slides.unanswered),
        "left_out": dict(slides.left_out),
        "published": slides.known and {"name": slides.known.name, "licence": slides.known.licence},
        "figures": as_json({**figures.figures, **shares}),
        "binding": slides.binding,
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, document)
    except OSError as error:
        raise OutputNotWritable(str(place), error.strerror or type(error).__name__) from None


def calibrate_slides(
    source: Path,
    answers: Path,
    yes: Iterable[str],
    ignore: Iterable[str],
    sensitivity: float,
    out: Path | None,
    data: Path = FOLDER,
) -> None:
    """Fits, prints and writes the calibration that `healer slide --calibration` takes."""
    slides = answered_slides(source, answers, LabelMapping.of(yes, ignore), data)
    fitted = fit_slides(slides, sensitivity)
    place = out or Path(CALIBRATION_FILE)
    try:
        save_record(place, fitted.calibration, indent=1)
    except OSError as error:
        raise OutputNotWritable(str(place), error.strerror or type(error).__name__) from None
    _head(slides)
    for line in _fitted_lines(fitted):
        console.print(line)
    console.print(f"{place}: slide calibration {fitted.calibration.id}")
    console.print(NOTICE)


def _fitted_lines(fitted: FittedSlides) -> list[str]:
    held, share = fitted.calibration, fitted.rule_out
    figures = held.figures
    interval = ""
    if share.low is not None and share.high is not None:
        interval = f" ({percent(share.low, 1)} to {percent(share.high, 1)})"
    return [
        f"probability = sigmoid({held.slope:.4f} · log-odds of the score {held.intercept:+.4f}); "
        f"no up to {held.lower:.3f}, yes from {held.upper:.3f}",
        f"At a sensitivity of {percent(held.sensitivity, 1)}, "
        f"{percent(share.value or 0.0, 1)} of the slides are ruled out{interval}.",
        f"On cases left out of the fit: sensitivity {percent(figures['left_out_sensitivity'], 1)}, "
        f"{percent(figures['left_out_rule_out'], 1)} ruled out, "
        f"{percent(figures['left_out_no_called_yes'], 1)} of the rest called yes.",
    ]
