"""An engine's predictions on a dataset, journalled so that a killed run can be resumed.

`answers.jsonl` takes one line a batch, forced to disk before the next begins; a line cut short is
scored again, and so is a batch in which the engine failed on a tile. Batches are always the same
tiles in the same order, so a run that was resumed and a run that was not give the same numbers.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from healer.engines.base import EngineInfo, Evidence
from healer.engines.registry import offline_tiles
from healer.errors.base import HealerError
from healer.errors.engine import ModelError, UpstreamError
from healer.errors.evaluation import ResultsMismatch
from healer.evaluation.datasets import Dataset, Item, Limits
from healer.evaluation.shifts import NONE, RESCALED, SHIFTS, shift_named
from healer.files.disk import atomic_write
from healer.files.spelling import Spellings, escaped, json_safe, spellings_of
from healer.files.table import read_heading, read_rows
from healer.images.tile import Tile
from healer.screening.calibration import Calibration
from healer.screening.pipeline import engine_error, score_stream, unexpected_error
from healer.screening.screener import Score, Screener
from healer.screening.verdict import Verdict, decide

MAX_FAILURES = 32  # tiles in a row on which the engine fails, before the run stops
JOURNAL = "answers.jsonl"
BINDING = "run.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One tile under one shift. `margin` is None where there was no answer: `refusal` is the code
    of why, `problem` its sentence."""

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
    problem: str | None = None

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


ENGINE_FAILURES = ModelError.branch_codes()


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
            with atomic_write(binding_file) as stream:
                stream.write(text.encode())
        self.done = {
            (row.shift, row.path): row for rows in _whole_lines(self._file) for row in rows
        }

    def lacks(self, items: Sequence[Item], shift: str) -> bool:
        """Whether one of them is to be scored: for the first time, or since the engine failed."""
        rows = [self.done.get((shift, item.path)) for item in items]
        return any(row is None or row.refusal in ENGINE_FAILURES for row in rows)

    def add(self, key: str, rows: Sequence[Row]) -> None:
        line = json.dumps({"key": key, "rows": [asdict(row) for row in rows]}, ensure_ascii=False)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json_safe(line) + "\n")
            out.flush()
            os.fsync(out.fileno())
        self.done |= {(row.shift, row.path): row for row in rows}


def _check_binding(folder: Path, held: dict[str, Any], binding: dict[str, Any]) -> None:
    other = [name for name in binding if held.get(name) != binding[name]]
    if other:
        reason = f"it holds a run of another {' and '.join(other)}"
        raise ResultsMismatch(str(folder), reason)


def _whole_lines(file: Path) -> Iterator[list[Row]]:
    """Batches that reached the disk; a line cut short is truncated, so that none is appended to."""
    if not file.exists():
        return
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(file, whole)
    for line in data[:whole].splitlines():
        yield [Row(**row) for row in json.loads(line)["rows"]]


@dataclass(frozen=True, slots=True)
class LoadedItem:
    """An item's tile under a shift, or why it cannot be read."""

    item: Item
    tile: Tile | None
    error: HealerError | None = None


def predict(
    screener: Screener,
    dataset: Dataset,
    shifts: Sequence[str],
    journal: Journal,
    limits: Limits,
    advance: Callable[[int], None],
) -> list[Row]:
    """Every tile under every shift, in order; only what the journal lacks is scored.

    A tile that cannot be read, or on which the engine fails, is a row without a margin. Raises
    UpstreamError, and what the engine fails with on MAX_FAILURES tiles in a row: the run can be
    resumed then.
    """
    size = offline_tiles(screener.info)
    for shift in shifts:
        starts = range(0, len(dataset.items), size)
        batches = [(f"{shift}:{start}", dataset.items[start : start + size]) for start in starts]
        lacking = [batch for batch in batches if journal.lacks(batch[1], shift)]
        items = [item for _, batch in lacking for item in batch]
        advance(len(dataset.items) - len(items))
        load = partial(_load, dataset, shift, limits)
        failures = 0
        with closing(score_stream(screener, items, load, size, fixed=True)) as scored:
            for (key, _), batch in zip(lacking, scored, strict=True):
                rows = [_row(loaded, shift, result) for loaded, result in batch]
                failures = _failures_in_a_row(batch, failures)
                journal.add(key, rows)
                advance(len(rows))
    return [journal.done[shift, item.path] for shift in shifts for item in dataset.items]


def _load(dataset: Dataset, shift: str, limits: Limits, item: Item) -> LoadedItem:
    try:
        tile = dataset.source.tile(item.path, limits)
        mpp = None if shift in RESCALED else tile.mpp
        return LoadedItem(item, Tile(pixels=SHIFTS[shift](tile.pixels), mpp=mpp))
    except Exception as error:
        return LoadedItem(item, None, unexpected_error(error))


def _failures_in_a_row(
    batch: Sequence[tuple[LoadedItem, Score | BaseException | None]], failures: int
) -> int:
    """How many tiles in a row the engine has failed on, `failures` before this batch."""
    for _, result in batch:
        if isinstance(result, BaseException):
            failures += 1
            if isinstance(result, UpstreamError) or failures >= MAX_FAILURES:
                raise engine_error(result)
        elif result is not None:
            failures = 0
    return failures


def _row(loaded: LoadedItem, shift: str, result: Score | BaseException | None) -> Row:
    item = loaded.item
    about = (item.path, item.label, item.case_id, item.positive, shift)
    if not isinstance(result, Score):
        error = loaded.error or engine_error(result or TypeError("a loaded tile was not scored"))
        return Row(*about, margin=None, refusal=error.code, problem=escaped(str(error)))
    evidence, second = result.evidence, result.second
    return Row(
        *about,
        margin=evidence.margin,
        mass=evidence.mass,
        seconds=result.seconds,
        second_verdict=second.verdict.value if second else None,
        mark=second.mark.value if second and second.mark else None,
        warnings=" ".join(warning.code for warning in result.warnings),
        windows=None if result.windows is None else len(result.windows),
    )


COLUMNS = (
    *("path", "label", "case_id", "truth", "shift", "margin", "mass", "probability", "verdict"),
    *("seconds", "refusal", "second_verdict", "mark", "warnings", "windows", "problem"),
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
