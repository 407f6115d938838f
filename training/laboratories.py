"""Other laboratories: what the networks make of Kather 2016's tiles, left out, and of simulated
ones; the tables of the model card."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from healer.evaluation.shifts import NONE, SHIFTS, TITLES
from healer.questions.colorectal import HIGH_GRADE_SHARE
from healer.screening.calibration import Calibration
from healer.screening.opening import SHIPPED
from training import calibration
from training.calibration import Place
from training.data import CANCER_INDEX, LABELS
from training.kather import COMPLEX, OUTPUT_NAMES, TISSUES
from training.metrics import margin
from training.shipped import CLASS_ANSWERS, COLUMNS, EBHI_SEG, KATHER_2016, LABORATORIES

BEGIN = "<!-- other laboratories: python -m training card -->"
END = "<!-- end of other laboratories -->"
BY_SHARE = "<!-- share: python -m training card -->"
BY_SHARE_END = "<!-- end of share -->"
HIGH_GRADE_SHARES = (0.0, 0.15, HIGH_GRADE_SHARE, 0.5)
RESULTS = Path(__file__).parent / "laboratories.json"
VERDICTS = ("no", "indeterminate", "yes")
ROWS = ("tumor", "mucosa", *TISSUES, COMPLEX)


def tables(file: Path = CLASS_ANSWERS) -> str:
    """The text between the markers."""
    found = [by_change(file), answers_by_class(), left_out(file), confusion(file)]
    return "\n\n".join(found)


def write(file: Path = CLASS_ANSWERS, out: Path = RESULTS) -> None:
    """Counts of no, indeterminate and yes by label of Kather 2016, each tile by the network that
    never saw its group; also what README's table is made from."""
    fitted = Calibration.model_validate_json(SHIPPED.read_bytes())
    found: Mapping[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    with file.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["source"] == KATHER_2016:
                said = verdict(fitted.probability(margin_of(row)), fitted)
                found[row["label"]][row["shift"], said] += 1
    counts = {
        label: {
            "as_it_is": [found[label][NONE, said] for said in VERDICTS],
            "changed": [
                sum(found[label][change, said] for change in (*SHIFTS, *LABORATORIES))
                for said in VERDICTS
            ],
        }
        for label in ROWS
    }
    out.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


def answers_by_class(file: Path = RESULTS) -> str:
    head = (
        "| Kather 2016, left out | tiles | as they are: no / indeterminate / yes "
        "| under every change together |"
    )
    lines = [head, "|---|---|---|---|"]
    for label, counts in json.loads(file.read_text(encoding="utf-8")).items():
        plain, changed = (" / ".join(map(str, counts[key])) for key in ("as_it_is", "changed"))
        lines.append(f"| {label} | {sum(counts['as_it_is'])} | {plain} | {changed} |")
    return "\n".join(lines)


def margin_of(row: Mapping[str, str]) -> float:
    shares = np.array([[float(row[name]) for name in COLUMNS]]).clip(calibration.LEAST_SHARE)
    return float(margin(np.log(shares), CANCER_INDEX)[0])


def verdict(probability: float, fitted: Calibration) -> str:
    if probability >= fitted.upper:
        return "yes"
    return "no" if probability <= fitted.lower else "indeterminate"


def left_out(file: Path) -> str:
    """What a calibration fitted on one source is worth on the other, and on simulated ones."""
    every = calibration.places(file)
    by_source = {
        name: [place for place in every if place.source == name] for name in (EBHI_SEG, KATHER_2016)
    }
    plain = [place for place in every if place.change in SHIFTS]
    random = [place for place in every if place.change in LABORATORIES]
    cases = (
        ("EBHI-Seg", "Kather 2016", by_source[EBHI_SEG], by_source[KATHER_2016]),
        ("Kather 2016", "EBHI-Seg", by_source[KATHER_2016], by_source[EBHI_SEG]),
        ("both, fixed changes", "both, random laboratories", plain, random),
        ("both (ships)", "EBHI-Seg, the same", every, by_source[EBHI_SEG]),
        ("both (ships)", "Kather 2016, the same", every, by_source[KATHER_2016]),
    )
    head = (
        "| calibration fitted on | measured on | AUROC | ECE | cancer called no | rest called yes "
        "| indeterminate | balanced accuracy among answers |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for fitted_on, measured_on, known, unseen in cases:
        figures = calibration.evidence(known, unseen)
        shares = (f"{figures[name]:.1%}" for name in
                  ("yes_called_no", "no_called_yes", "indeterminate"))  # fmt: skip
        lines.append(
            f"| {fitted_on} | {measured_on} | {figures['auroc']:.3f} | {figures['ece']:.3f} "
            f"| {' | '.join(shares)} | {figures['balanced_accuracy']:.3f} |"
        )
    return "\n".join(lines)


def confusion(file: Path) -> str:
    """The likeliest class of every tile as it is, by the network that never saw it."""
    found: Mapping[str, Counter[str]] = defaultdict(Counter)
    with file.open(newline="", encoding="utf-8") as out:
        for row in csv.DictReader(out):
            if row["shift"] == NONE:
                found[row["label"]][max(COLUMNS, key=lambda name: float(row[name]))] += 1
    head = f"| likeliest class | tiles | {' | '.join(short(name) for name in OUTPUT_NAMES)} |"
    lines = [head, "|---" * (len(OUTPUT_NAMES) + 2) + "|"]
    for label in (*LABELS, *ROWS):
        cells = " | ".join(str(found[label][name] or "–") for name in COLUMNS)
        lines.append(f"| {label} | {found[label].total()} | {cells} |")
    return "\n".join(lines)


def short(name: str) -> str:
    return name.replace(" intraepithelial neoplasia", "").replace("adenocarcinoma", "cancer")


def shares_table(file: Path = CLASS_ANSWERS) -> str:
    """Several shares of high-grade neoplasia in the margin of cancer, each with a calibration of
    its own, fitted like the one that ships."""
    head = (
        "| share | AUROC: EBHI-Seg | under every change | Kather 2016 | under every change "
        "| cancer of EBHI-Seg: no / indeterminate / yes | its high-grade neoplasia "
        "| ECE on Kather 2016 |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for share in HIGH_GRADE_SHARES:
        every = calibration.places(file, share)
        scaling, points = calibration.fit(every)
        cells = [f"{share:.2f}" + (" (ships)" if share == HIGH_GRADE_SHARE else "")]
        for source in (EBHI_SEG, KATHER_2016):
            mine = [place for place in every if place.source == source]
            plain = [place for place in mine if place.change == NONE]
            cells += [f"{auroc(plain):.3f}", f"{auroc(mine):.3f}"]
        (home,) = (at for at in every if (at.source, at.change) == (EBHI_SEG, NONE))
        found = scaling.probabilities(home.margins)
        for label in LABELS[:2]:
            mine_of = found[home.labels == label]
            no, yes = (mine_of <= points.lower).sum(), (mine_of >= points.upper).sum()
            cells.append(f"{no} / {len(mine_of) - no - yes} / {yes}")
        away = [place for place in every if (place.source, place.change) == (KATHER_2016, NONE)]
        cells.append(f"{calibration.evidence(every, away)['ece']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def auroc(places: Sequence[Place]) -> float:
    truth = np.concatenate([place.truth for place in places])
    return float(roc_auc_score(truth, np.concatenate([place.margins for place in places])))


def by_change(file: Path) -> str:
    """AUROC of each source under each change."""
    every = {(place.source, place.change): place for place in calibration.places(file)}
    lines = ["| tile, changed | EBHI-Seg | Kather 2016 |", "|---|---|---|"]
    for change in (*SHIFTS, *LABORATORIES):
        areas = (f"{auroc([every[name, change]]):.3f}" for name in (EBHI_SEG, KATHER_2016))
        title = TITLES.get(change, f"random {change.replace('-', ' ')}")
        lines.append(f"| {title} | {' | '.join(areas)} |")
    return "\n".join(lines)
