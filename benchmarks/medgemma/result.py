"""What one benchmark of MedGemma found, and its files."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.checkpoint.shapes import Shape
from benchmarks.medgemma.ceilings import Floor, Rates, floor
from benchmarks.medgemma.rounds import Run
from benchmarks.medgemma.summary import Figures, figures, ratios, rows
from benchmarks.medgemma.systems import SYSTEMS


@dataclass(slots=True)
class Result:
    """`others` is how many cores other programs used before it began; above `idle.ALLOWED` only
    where --anyway was given. `limited` are runs under a limit of memory."""

    shape: Shape
    checkpoint: Path
    tokens: int
    machine: dict[str, Any]
    others: float
    runs: list[Run] = field(default_factory=list)
    limited: list[Run] = field(default_factory=list)

    @property
    def found(self) -> list[Figures]:
        """In the order of the systems, of those that finished at least once."""
        names = dict.fromkeys(run.name for run in self.runs)
        finished = {n: [r for r in self.runs if r.name == n and r.finished] for n in names}
        return [
            figures(SYSTEMS[name].title, SYSTEMS[name].size(self.checkpoint), runs)
            for name, runs in finished.items()
            if runs
        ]

    @property
    def missing(self) -> dict[str, str]:
        """Why a system, or some rounds of it, did not finish, and how many of how many."""
        failed = {run.name: run for run in self.runs if not run.finished}
        return {name: self._failure(run) for name, run in failed.items()}

    def _failure(self, last: Run) -> str:
        if last.skipped is not None:
            return last.outcome
        every = [run.finished for run in self.runs if run.name == last.name]
        return f"{every.count(False)} of {len(every)} rounds {last.outcome}"

    @property
    def rates(self) -> Rates:
        return rates_of(self.machine)

    @property
    def floor(self) -> Floor | None:
        found = self.found
        return floor(self.shape, found[0].prompt_tokens, self.rates) if found else None

    def save(self, folder: Path) -> list[Path]:
        """bench.json, bench.csv and, where matplotlib is installed, bench.png."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(self.as_json(), indent=2) + "\n")
        files = [folder / "bench.json"]
        if self.found:
            files += [self._save_csv(folder / "bench.csv"), *self._draw(folder / "bench.png")]
        return files

    def as_json(self) -> dict[str, Any]:
        found = self.found
        return {
            "shape": asdict(self.shape),
            "tokens": self.tokens,
            "machine": self.machine,
            "others_before": self.others,
            "floor": asdict(self.floor) if self.floor else None,
            "figures": [asdict(each) for each in found],
            "ratios": {each.name: ratios(found[0], each) for each in found[1:]},
            "missing": self.missing,
            "runs": [asdict(run) | {"outcome": run.outcome} for run in self.runs],
            "limited": [asdict(run) | {"outcome": run.outcome} for run in self.limited],
        }

    def _save_csv(self, file: Path) -> Path:
        found = rows(self.found)
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
        return file

    def _draw(self, file: Path) -> list[Path]:
        try:
            from benchmarks.medgemma.summary import draw
        except ModuleNotFoundError:
            return []
        draw(self.found, self.floor, self.tokens, file)
        return [file]


def rates_of(machine: dict[str, Any]) -> Rates:
    """The best rates of the machine: any type for matrices, floating point for attention."""
    every = [(each["type"], float(each["rate"])) for each in machine["matrices"]]
    return Rates(
        matrix=max(rate for _, rate in every),
        attention=max(rate for kind, rate in every if kind != "int8"),
        read=float(machine["read"]),
    )
