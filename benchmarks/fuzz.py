"""Spoilt pictures and spoilt forms, for as long as is wanted: `python -m benchmarks.fuzz`.

    pictures   decoded and checked by the gate, in a process of their own
    forms      sent to the service, in this process, through its real parser

A crash, a hang, an error that is not the sender's, and an answer in the 500s are findings: their
inputs are kept in runs/fuzz, and the exit code is 1. The same --seed makes the same inputs.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from starlette.testclient import TestClient

from healer import errors
from healer.main import create_app
from healer.sandbox.loader import Worker
from healer.sandbox.protocol import Limits
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.fuzz import forms, mutations
from tests.server.conftest import wait_until_ready

FINDINGS = Path("runs/fuzz")
LIMITS = Limits(max_pixels=1_000_000, max_bytes=mutations.LONGEST, seconds=10)
FORMS_SHARE = 0.2
PROGRESS_SECONDS = 10.0


@dataclass(slots=True)
class Tally:
    """`peak` is the most memory a decoder held, in bytes."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: int = 0
    slowest: float = 0
    peak: int = 0

    def note(self, target: str, outcome: str, data: bytes, seconds: float) -> None:
        self.outcomes[f"{target}: {outcome}"] += 1
        self.slowest = max(self.slowest, seconds)
        if outcome.startswith("!"):
            self.findings += 1
            FINDINGS.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(data).hexdigest()[:16]
            (FINDINGS / f"{target}-{name}").write_bytes(data)


class Pictures:
    """A worker, and another after each that was ended."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._worker = tally, Worker(LIMITS)

    def __call__(self, chance: Random) -> tuple[bytes, str]:
        data = mutations.mutated(chance, mutations.seeds())
        return data, self._outcome(data)

    def _outcome(self, data: bytes) -> str:
        try:
            self._worker.load(data, "warn")
        except errors.ImageTooCostly as error:
            return f"! {error.reason}"
        except errors.RequestError as error:
            return error.code
        except Exception as error:
            return f"! {str(error).splitlines()[-1]}"
        finally:
            self._renew()
        return "read"

    def _renew(self) -> None:
        if self._worker.alive:
            self._tally.peak = max(self._tally.peak, peak_of(self._worker.pid))
        else:
            self.close()
            self._worker = Worker(LIMITS)

    def close(self) -> None:
        self._worker.close()


class Forms:
    def __init__(self, client: TestClient) -> None:
        self._client = client

    def __call__(self, chance: Random) -> tuple[bytes, str]:
        kind = forms.TYPE if chance.random() < 0.8 else chance.choice(forms.TYPES)
        data = mutations.mutated(chance, forms.seeds())
        headers = {b"Content-Type": kind.encode("latin-1")}
        response = self._client.post("/predict", content=data, headers=headers)
        if response.status_code == 200:
            return data, "answered"
        code = str(response.json().get("code"))
        return data, code if response.status_code < 500 else f"! {response.status_code} {code}"


def peak_of(pid: int) -> int:
    """The most resident memory a process has held, in bytes (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


Target = Callable[[Random], tuple[bytes, str]]


def run(targets: dict[str, Target], tally: Tally, seconds: float, seed: int) -> None:
    started = reported = time.perf_counter()
    number = 0
    while (now := time.perf_counter()) < started + seconds:
        chance = Random(f"{seed}/{number}")  # noqa: S311
        target = "forms" if chance.random() < FORMS_SHARE else "pictures"
        data, outcome = targets[target](chance)
        tally.note(target, outcome, data, time.perf_counter() - now)
        number += 1
        if now > reported + PROGRESS_SECONDS:
            reported = now
            sys.stderr.write(f"{now - started:.0f} s, {number} inputs, {tally.findings} findings\n")


def report(tally: Tally) -> Iterator[str]:
    yield "| input: outcome | count |"
    yield "|---|---|"
    for outcome, count in sorted(tally.outcomes.items()):
        yield f"| {outcome} | {count:,} |"
    yield ""
    yield (
        f"{tally.outcomes.total():,} inputs, {tally.findings} findings; slowest "
        f"{tally.slowest:.2f} s; a decoder held {tally.peak // 1024**2} MB at most."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    settings = Settings(_env_file=None, gate="off", max_bytes=4096, log_level="error")
    tally = Tally()
    with ExitStack() as held:
        app = create_app(settings, engine=FakeEngine())
        client = held.enter_context(TestClient(app, raise_server_exceptions=False))
        wait_until_ready(client)
        pictures = held.enter_context(closing(Pictures(tally)))
        targets: dict[str, Target] = {"pictures": pictures, "forms": Forms(client)}
        run(targets, tally, options.minutes * 60, options.seed)
    sys.stdout.write("\n".join(report(tally)) + "\n")
    sys.exit(1 if tally.findings else 0)


if __name__ == "__main__":
    main()
