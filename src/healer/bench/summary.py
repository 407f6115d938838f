"""Runs into figures: medians over all rounds, their spread, and ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from healer.bench.rounds import Run


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
    """One contender over all rounds. Seconds, tokens a second and bytes.

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
    """Of a contender's finished runs, at least one."""
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
    """For a CSV: a contender a row, a spread in three columns."""
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
