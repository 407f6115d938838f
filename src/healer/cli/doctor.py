"""`healer doctor`: what Healer needs, line by line: OK, why not, and what to do."""

from __future__ import annotations

import json
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from healer import __version__
from healer.cli.common import exit_on_error, settings_with
from healer.engines.spec import GIB, EngineSpec, ModelSource
from healer.errors.base import HealerError
from healer.errors.engine import ModelIncomplete
from healer.settings.loading import Settings

if TYPE_CHECKING:  # imported where a check needs it, so that `healer --help` does not wait for it
    from healer.cli.speed import Speed
    from healer.screening.opening import EngineChoice
    from healer.screening.screener import Screener

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


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the same as one JSON object instead.")
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="Also measure verdicts, for about a minute.")
    ] = False,
) -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    with exit_on_error():
        healthy = run_checks(settings_with(), as_json=as_json, speed=speed)
    raise typer.Exit(0 if healthy else 1)


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
    from healer.engines.registry import ENGINES
    from healer.screening.opening import choose_engine

    choice = choose_engine(settings)
    spec = ENGINES[choice.engine]
    yield "Python", python
    yield "settings", lambda: known_settings(settings)
    yield "memory", lambda: enough_memory(spec)
    yield "disk", lambda: enough_disk(settings, spec)
    yield "devices", devices
    yield "hub access", lambda: hub_access(settings)
    yield "model folder", lambda: model_folder(settings, spec)
    yield "whole slides", slide_libraries
    if spec.check:
        yield spec.check[0], lambda: ok_or_note(*spec.run_check(settings))
    yield from engine_checks(settings, choice, speed=speed)


def engine_checks(
    settings: Settings, choice: EngineChoice, *, speed: bool
) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """The engine is opened once for all of them."""
    from healer.screening.opening import open_screener

    with ExitStack() as opened:

        @cache
        def screener() -> Screener:
            made = open_screener(choice, settings)
            opened.callback(made.engine.close)
            return made

        yield "engine", lambda: engine_answers(screener(), choice)
        if speed:
            yield "speed", lambda: engine_speed(screener())


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


def enough_memory(spec: EngineSpec) -> Finding:
    from healer.hardware import memory_limit_bytes

    limit, needed = memory_limit_bytes(), spec.memory_bytes
    detail = f"{limit / GIB:.1f} GiB for this process; the {spec.name} engine needs about "
    detail += f"{needed / GIB:.1f} GiB"
    if limit >= needed:
        return ok(detail)
    return failed(f"{detail}. Raise the limit, or set HEALER_ENGINE=builtin.")


def enough_disk(settings: Settings, spec: EngineSpec) -> Finding:
    from healer.weights.manifest import is_complete_folder

    folder = _existing(settings.model_dir)
    free = shutil.disk_usage(folder).free
    detail = f"{free / GIB:.1f} GiB free at {folder}"
    elsewhere = spec.model in (ModelSource.CONVERSION, ModelSource.SERVER)
    there = elsewhere or is_complete_folder(settings.model_dir)
    if free >= MODEL_BYTES or there:
        return ok(detail)
    return note(f"{detail}; MedGemma 4B needs {MODEL_BYTES / GIB:.0f}. Set MODEL_DIR elsewhere.")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())


def devices() -> Finding:
    from healer.hardware import torch_devices

    found = torch_devices()
    if found is None:
        return note("CPU only: torch is not installed (pip install 'healer[medgemma]' adds it)")
    return ok(", ".join(found))


def hub_access(settings: Settings) -> Finding:
    if settings.hf_token is None:
        return note("no token: set MY_HF_TOKEN to download MedGemma; nothing else needs one")
    from healer.download import check_access

    return ok(f"the token may read {settings.model_id} (commit {check_access(settings)[:12]})")


def model_folder(settings: Settings, spec: EngineSpec) -> Finding:
    from healer.weights.manifest import check_folder

    if spec.model is ModelSource.SERVER:
        return note("not needed: the model is behind HEALER_ENGINE_URL")
    if spec.model is ModelSource.CONVERSION:
        return converted(settings.model_dir)
    try:
        found = check_folder(settings.model_dir, deep=True)
    except ModelIncomplete as why:
        if spec.model is ModelSource.PACKAGE:
            return note(
                f"{why.reason}; the built-in model answers. `healer download` gets MedGemma."
            )
        raise
    return ok(f"{found.model_id} at {found.revision[:12]}, every checksum right")


def converted(model_dir: Path) -> Finding:
    from healer.engines.openvino import converted_folder
    from healer.engines.openvino.conversion_record import check_conversion

    found = check_conversion(converted_folder(model_dir), deep=True)
    return ok(
        f"{found.source.model_id} at {found.source.revision[:12]}, converted with margins within "
        f"{found.parity.shift:.2f} of float32, every checksum right"
    )


def slide_libraries() -> Finding:
    try:
        from healer.slides.openslide_file import LEAST_VERSION, library_versions

        versions = library_versions()
    except ModuleNotFoundError as missing:
        detail = f"the libraries are not installed ({missing.name}); pip install 'healer[slides]'"
        return note(f"{detail} adds them")
    except (ImportError, OSError) as broken:  # Python's part is there and the library is not
        return failed(f"{broken}. Install openslide-bin: pip install 'healer[slides]'.")
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    if is_older(versions["OpenSlide"], LEAST_VERSION):
        return failed(f"{listed}; OpenSlide {LEAST_VERSION} is needed: pip install openslide-bin")
    return ok(listed)


def is_older(version: str, least: str) -> bool:
    numbers, needed = (tuple(map(int, re.findall(r"\d+", text))) for text in (version, least))
    return numbers < needed


def engine_answers(screener: Screener, choice: EngineChoice) -> Finding:
    from healer.screening.screener import self_test

    screening = self_test(screener)
    seconds = sum(screening.timings.values())
    found = f"{choice.engine} ({choice.reason}) loads and answers its known tile in {seconds:.2f} s"
    if screener.warnings:
        return note("; ".join((found, *screener.warnings)))
    return ok(found)


def engine_speed(screener: Screener) -> Finding:
    from healer.cli.speed import measure_speed

    measured = measure_speed(screener)
    return Finding(Outcome.OK, measured.sentence, measured)
