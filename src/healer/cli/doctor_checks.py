"""`healer doctor`: what Healer needs, line by line: OK, why not, and what to do."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from healer import __version__
from healer.cli.speed import Speed, measure_speed
from healer.engines.openvino import converted_folder
from healer.engines.openvino.conversion_record import check_conversion
from healer.engines.registry import ENGINES
from healer.engines.spec import GIB, ModelSource
from healer.errors.base import HealerError
from healer.errors.engine import ModelIncomplete
from healer.hardware import memory_limit_bytes, torch_devices
from healer.screening.opening import EngineChoice, choose_engine, open_screener
from healer.screening.screener import self_test
from healer.settings.loading import Settings
from healer.weights.manifest import check_folder, is_complete_folder

MODEL_BYTES = 9 * GIB


class Outcome(StrEnum):
    OK = "OK"
    NOTE = "note"
    FAILED = "failed"


COLOURS = {Outcome.OK: "green", Outcome.NOTE: "yellow", Outcome.FAILED: "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    outcome: Outcome
    detail: str
    speed: Speed | None = None


def ok(detail: str) -> Finding:
    return Finding(Outcome.OK, detail)


def note(detail: str) -> Finding:
    return Finding(Outcome.NOTE, detail)


def ok_or_note(good: bool, detail: str) -> Finding:
    return ok(detail) if good else note(detail)


def failed(detail: str) -> Finding:
    return Finding(Outcome.FAILED, detail)


def run_checks(settings: Settings, *, as_json: bool = False, speed: bool = False) -> bool:
    """Print every check as it is made, or all as one JSON object; True where none failed."""
    console = Console(highlight=False)
    made = []
    for name, check in checks(settings, speed=speed):
        finding = _made(check)
        made.append((name, finding))
        if not as_json:
            console.print(_row(name, finding))
    healthy = all(finding.outcome is not Outcome.FAILED for _, finding in made)
    if as_json:
        sys.stdout.write(_json(made, healthy=healthy) + "\n")
    return healthy


def _row(name: str, finding: Finding) -> Table:
    row = Table.grid(padding=(0, 2))
    row.add_column(width=12)
    row.add_column(width=6)
    row.add_row(name, Text(finding.outcome, COLOURS[finding.outcome]), Text(finding.detail))
    return row


def _json(made: Iterable[tuple[str, Finding]], *, healthy: bool) -> str:
    checked = [
        {"name": name, "outcome": finding.outcome.lower(), "detail": finding.detail}
        | ({"speed": asdict(finding.speed)} if finding.speed else {})
        for name, finding in made
    ]
    report = {"healer": __version__, "healthy": healthy, "checks": checked}
    return json.dumps(report, indent=2, ensure_ascii=False)


def checks(
    settings: Settings, *, speed: bool = False
) -> Iterator[tuple[str, Callable[[], Finding]]]:
    choice = choose_engine(settings)
    yield "Python", python
    yield "settings", lambda: known_settings(settings)
    yield "memory", lambda: enough_memory(choice)
    yield "disk", lambda: enough_disk(settings, choice)
    yield "devices", devices
    yield "hub access", lambda: hub_access(settings)
    yield "model folder", lambda: model_folder(settings, choice)
    spec = ENGINES[choice.engine]
    if spec.check:
        yield spec.check[0], lambda: ok_or_note(*spec.run_check(settings))
    yield "engine", lambda: engine_answers(settings, choice)
    if speed:
        yield "speed", lambda: engine_speed(settings, choice)


def _made(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except HealerError as error:
        return failed(str(error))


def python() -> Finding:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return ok(version)
    return failed(f"{version} is not supported. Install Python 3.11, 3.12 or 3.13.")


def known_settings(settings: Settings) -> Finding:
    """What `healer serve` warns of too."""
    unknown = settings.unknown_variables()
    if not unknown:
        return ok("every HEALER_ variable that is set is one that Healer reads")
    return note("; ".join(f"no setting reads {name}: {hint}" for name, hint in unknown.items()))


def enough_memory(choice: EngineChoice) -> Finding:
    limit, needed = memory_limit_bytes(), ENGINES[choice.engine].memory_bytes
    detail = f"{limit / GIB:.1f} GiB for this process; the {choice.engine} engine needs about "
    detail += f"{needed / GIB:.1f} GiB"
    if limit >= needed:
        return ok(detail)
    return failed(f"{detail}. Raise the limit, or set HEALER_ENGINE=builtin.")


def enough_disk(settings: Settings, choice: EngineChoice) -> Finding:
    folder = _existing(settings.model_dir)
    free = shutil.disk_usage(folder).free
    detail = f"{free / GIB:.1f} GiB free at {folder}"
    elsewhere = ENGINES[choice.engine].model in (ModelSource.CONVERSION, ModelSource.SERVER)
    there = elsewhere or is_complete_folder(settings.model_dir)
    if free >= MODEL_BYTES or there:
        return ok(detail)
    return note(f"{detail}; MedGemma 4B needs {MODEL_BYTES / GIB:.0f}. Set MODEL_DIR elsewhere.")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())


def devices() -> Finding:
    found = torch_devices()
    if found is None:
        return note("CPU only: torch is not installed (pip install 'healer[medgemma]' adds it)")
    return ok(", ".join(found))


def hub_access(settings: Settings) -> Finding:
    if settings.hf_token is None:
        return note("no token: set MY_HF_TOKEN to download MedGemma; nothing else needs one")
    from healer.download import check_access

    return ok(f"the token may read {settings.model_id} (commit {check_access(settings)[:12]})")


def model_folder(settings: Settings, choice: EngineChoice) -> Finding:
    source = ENGINES[choice.engine].model
    if source is ModelSource.SERVER:
        return note("not needed: the model is behind HEALER_ENGINE_URL")
    if source is ModelSource.CONVERSION:
        return converted(converted_folder(settings.model_dir))
    try:
        found = check_folder(settings.model_dir, deep=True)
    except ModelIncomplete as why:
        if source is ModelSource.PACKAGE:
            return note(
                f"{why.reason}; the built-in model answers. `healer download` gets MedGemma."
            )
        raise
    return ok(f"{found.model_id} at {found.revision[:12]}, every checksum right")


def converted(folder: Path) -> Finding:
    found = check_conversion(folder, deep=True)
    return ok(
        f"{found.source.model_id} at {found.source.revision[:12]}, converted with margins within "
        f"{found.parity.shift:.2f} of float32, every checksum right"
    )


def engine_answers(settings: Settings, choice: EngineChoice) -> Finding:
    screener = open_screener(choice, settings)
    try:
        screening = self_test(screener)
    finally:
        screener.engine.close()
    seconds = sum(screening.timings.values())
    found = f"{choice.engine} ({choice.reason}) loads and answers its known tile in {seconds:.2f} s"
    if screener.warnings:
        return note("; ".join((found, *screener.warnings)))
    return ok(found)


def engine_speed(settings: Settings, choice: EngineChoice) -> Finding:
    screener = open_screener(choice, settings)
    try:
        measured = measure_speed(screener)
    finally:
        screener.engine.close()
    return Finding(Outcome.OK, measured.sentence, measured)
