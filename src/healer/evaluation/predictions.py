"""An engine's predictions on a dataset, journalled so that a killed run can be resumed.

`answers.jsonl` takes one line a batch, forced to disk before the next begins; a line cut short is
scored again. Batches are always the same tiles in the same order, so a run that was resumed and a
run that was not give the same numbers.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from healer.engines.base import EngineInfo, Evidence
from healer.errors.base import HealerError
from healer.errors.evaluation import ResultsMismatch
from healer.evaluation.datasets import Dataset, Item, Limits
from healer.evaluation.shifts import NONE, RESCALED, SHIFTS, shift_named
from healer.files.spelling import Spellings, escaped, json_safe, spellings_of
from healer.files.table import read_heading, read_rows
from healer.images.tile import Tile
from healer.screening.calibration import Calibration
from healer.screening.screener import Score, Screener
from healer.screening.verdict import Verdict, decide

BATCH = 8
JOURNAL = "answers.jsonl"
BINDING = "run.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One tile under one shift. `margin` is None where there was no answer, for `refusal`."""

    path: str
    label: str
    case_id: str
    positive: bool
    shift: str
    margin: float | None
    mass: float = 1.0
    seconds: float | None = None
    refusal: str | None = None
    second_verdict: str | None = None
    mark: str | None = None
    warnings: str = ""  # codes, by spaces
    windows: int | None = None

    def verdict(self, calibration: Calibration | None) -> Verdict | None:
        if self.margin is None:
            return None
        return decide(Evidence(margin=self.margin, mass=self.mass), calibration)


def binding_of(dataset: Dataset, info: EngineInfo, shifts: Sequence[str]) -> dict[str, Any]:
    """Everything a run's answers depend on."""
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "tiles": len(dataset.items),
        "shifts": list(shifts),
        "engine": {name: value for name, value in asdict(info).items() if name != "warnings"},
    }


class Journal:
    """Raises ResultsMismatch where the folder holds the answers of another run."""

    def __init__(self, folder: Path, binding: dict[str, Any]) -> None:
        self._file = folder / JOURNAL
        folder.mkdir(parents=True, exist_ok=True)
        binding_file = folder / BINDING
        if binding_file.exists():
            _check_binding(folder, json.loads(binding_file.read_text(encoding="utf-8")), binding)
        else:
            text = json_safe(json.dumps(binding, indent=1, ensure_ascii=False))
            binding_file.write_text(text, encoding="utf-8")
        self.done = dict(_whole_lines(self._file))

    def add(self, key: str, rows: Sequence[Row]) -> None:
        line = json.dumps({"key": key, "rows": [asdict(row) for row in rows]}, ensure_ascii=False)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json_safe(line) + "\n")
            out.flush()
            os.fsync(out.fileno())
        self.done[key] = list(rows)


def _check_binding(folder: Path, held: dict[str, Any], binding: dict[str, Any]) -> None:
    other = [name for name in binding if held.get(name) != binding[name]]
    if other:
        reason = f"it holds a run of another {' and '.join(other)}"
        raise ResultsMismatch(str(folder), reason)


def _whole_lines(file: Path) -> Iterator[tuple[str, list[Row]]]:
    """Batches that reached the disk; a line cut short is truncated, so that none is appended to."""
    if not file.exists():
        return
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(file, whole)
    for line in data[:whole].splitlines():
        held = json.loads(line)
        yield held["key"], [Row(**row) for row in held["rows"]]


def predict(
    screener: Screener,
    dataset: Dataset,
    shifts: Sequence[str],
    journal: Journal,
    limits: Limits,
    advance: Callable[[int], None],
) -> list[Row]:
    """Every tile under every shift, in order; only what the journal lacks is scored."""
    out: list[Row] = []
    for shift in shifts:
        for start in range(0, len(dataset.items), BATCH):
            key = f"{shift}:{start}"
            items = dataset.items[start : start + BATCH]
            if key not in journal.done:
                journal.add(key, _batch(screener, dataset, items, shift, limits))
            out += journal.done[key]
            advance(len(items))
    return out


def _batch(
    screener: Screener, dataset: Dataset, items: Sequence[Item], shift: str, limits: Limits
) -> list[Row]:
    tiles = [_shifted_tile(dataset, item, shift, limits) for item in items]
    scores = iter(screener.score([tile for tile in tiles if isinstance(tile, Tile)]))
    return [
        _row(item, shift, tile if isinstance(tile, str) else next(scores))
        for item, tile in zip(items, tiles, strict=True)
    ]


def _shifted_tile(dataset: Dataset, item: Item, shift: str, limits: Limits) -> Tile | str:
    """The tile under the shift, or the error code where it cannot be read."""
    try:
        tile = dataset.source.tile(item.path, limits)
    except HealerError as error:
        return error.code
    return Tile(pixels=SHIFTS[shift](tile.pixels), mpp=None if shift in RESCALED else tile.mpp)


def _row(item: Item, shift: str, score: Score | str) -> Row:
    about = (item.path, item.label, item.case_id, item.positive, shift)
    if isinstance(score, str):
        return Row(*about, margin=None, refusal=score)
    evidence, second = score.evidence, score.second
    return Row(
        *about,
        margin=evidence.margin,
        mass=evidence.mass,
        seconds=score.seconds,
        second_verdict=second.verdict.value if second else None,
        mark=second.mark.value if second and second.mark else None,
        warnings=" ".join(warning.code for warning in score.warnings),
        windows=None if score.windows is None else len(score.windows),
    )


COLUMNS = (
    *("path", "label", "case_id", "truth", "shift", "margin", "mass", "probability", "verdict"),
    *("seconds", "refusal", "second_verdict", "mark", "warnings", "windows"),
)


def write_predictions(rows: Sequence[Row], file: Path, calibration: Calibration | None) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            verdict = row.verdict(calibration)
            table.writerow(
                {
                    **{name: value for name, value in asdict(row).items() if name in COLUMNS},
                    "path": escaped(row.path),
                    "case_id": escaped(row.case_id),
                    "truth": "yes" if row.positive else "no",
                    "probability": verdict.probability if verdict else None,
                    "verdict": verdict.answer if verdict else "refused",
                }
            )


@dataclass(frozen=True, slots=True)
class ExternalPredictions:
    """Predictions of another program, in the dataset's order; `unmatched` are paths of no tile."""

    rows: list[Row]
    unmatched: tuple[str, ...]


def read_predictions(file: Path, dataset: Dataset) -> ExternalPredictions:
    """Another program's CSV (path, label, case_id, shift, margin, mass) for tiles of `dataset`."""
    items = {item.path: item for item in dataset.items}
    spellings = Spellings(items)
    rows, unmatched = [], []
    try:
        if not {"path", "margin"} <= set(read_heading(file)):
            raise ValueError("it lacks the columns path and margin")
        for _, line in read_rows(file):
            item = items.get(_path_of(line["path"], spellings) or "")
            if item is None:
                unmatched.append(line["path"])
            else:
                rows.append(_external_row(line, item))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ResultsMismatch(file.name, str(error)) from None
    if len({(row.path, row.shift) for row in rows}) != len(rows):
        raise ResultsMismatch(file.name, "a tile is answered twice under one shift")
    if not any(row.shift == NONE for row in rows):
        raise ResultsMismatch(file.name, "it answers none of the dataset's tiles as they are")
    order = {path: at for at, path in enumerate(items)}
    ranks = {shift: at for at, shift in enumerate(SHIFTS)}
    rows.sort(key=lambda row: (ranks[row.shift], order[row.path]))
    return ExternalPredictions(rows, tuple(dict.fromkeys(unmatched)))


def _path_of(written: str, spellings: Spellings) -> str | None:
    tries = (written, *spellings_of(written))
    return next((path for each in tries if (path := spellings.find(each))), None)


def _external_row(line: Mapping[str, str], item: Item) -> Row:
    if (line.get("label", "").strip() or item.label) != item.label:
        raise ValueError(f"{item.path} is {line['label']} there and {item.label} in the dataset")
    try:
        shift = shift_named(line.get("shift") or "")
    except KeyError:
        raise ValueError(f"no shift is called {line['shift']}") from None
    margin = float(line["margin"]) if line["margin"].strip() else None
    if margin is not None and not math.isfinite(margin):
        raise ValueError(f"the margin of {item.path} is not a finite number")
    mass, seconds = line.get("mass"), line.get("seconds")
    return Row(
        *(item.path, item.label, item.case_id, item.positive, shift),
        margin=margin,
        mass=float(mass) if mass else 1.0,
        seconds=float(seconds) if seconds else None,
        refusal=line.get("refusal") or (None if margin is not None else "no_margin"),
    )
