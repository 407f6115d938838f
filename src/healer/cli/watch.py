"""`healer watch`: reads what arrives in a DICOM archive, and stores the results there."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healer.cli.common import exit_on_error, settings_with, stderr
from healer.errors.hospital import HospitalNotInstalled, WatchTaken
from healer.errors.request import OutputNotWritable

if TYPE_CHECKING:
    from healer.hospital.watch import Watcher, WatchOptions
    from healer.settings.loading import Settings
    from healer.slides.slide_screener import SlideScreener


def watch(
    dicomweb: Annotated[str, typer.Option(metavar="URL", help="The DICOM archive, by DICOMweb.")],
    out: Annotated[Path, typer.Option(help="A folder is made in it for each slide.")] = Path(
        "healer-watch"
    ),
    every: Annotated[float, typer.Option(min=1, help="Seconds from one search to the next.")] = 60,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds without new files before a series is read.")
    ] = 60,
    between: Annotated[
        str | None, typer.Option(help="Read at these hours only, such as 20:00-06:00 (local time).")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Read at most so many slides, such as 30/hour.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="A calibration fitted on slides (healer calibrate --slides)."),
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Remove a slide's folder when its results are stored.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try series again that failed for good.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Do what can be done now, and end.")] = False,
    host: Annotated[str, typer.Option(help="Address of /health and /metrics.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve /health and /metrics there.")
    ] = None,
) -> None:
    """Find whole-slide series in a DICOM archive, read each once, and store preliminary results.

    What is done stands in the audit database (HEALER_AUDIT), or in OUT/watch.db: stopped or
    killed at any moment, the same command goes on where it was.
    """
    with exit_on_error():
        settings = settings_with()
        try:
            from healer.hospital.watch_status import served
            from healer.slides.slide_screener import SlideScreener
            from healer.telemetry.logs import configure
        except ModuleNotFoundError as missing:
            raise HospitalNotInstalled(missing.name or str(missing)) from None
        configure(settings)
        options = watch_options(every, settle, between, rate, discard=discard)
        screener = SlideScreener(settings, out, calibration=calibration)
        with ExitStack() as stack:
            stack.enter_context(only_watcher(out))
            stack.enter_context(closing(screener))
            screener.prepare()
            watcher = watcher_of(settings, dicomweb, screener, options)
            stack.callback(watcher.ledger.close)
            if retry_failed:
                watcher.ledger.retry_failed(watcher.clock())
            if port is not None:
                at = stack.enter_context(served(watcher.state, host, port))
                stderr.print(f"http://{host}:{at}/health", markup=False)
            stop_on_signals(watcher.stop)
            watcher.run(once=once)


def watch_options(
    every: float, settle: float, between: str | None, rate: str | None, *, discard: bool
) -> WatchOptions:
    """Raises BadParameter."""
    import limits

    from healer.hospital.hours import Hours
    from healer.hospital.watch import WatchOptions

    try:
        hours = Hours.parse(between) if between else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--between") from None
    try:
        most = limits.parse(rate) if rate else None
    except ValueError:
        raise typer.BadParameter("must be such as 30/hour", param_hint="--rate") from None
    return WatchOptions(every, settle, hours, most, discard)


def watcher_of(
    settings: Settings, dicomweb: str, screener: SlideScreener, options: WatchOptions
) -> Watcher:
    from healer.hospital.archive import Archive
    from healer.hospital.ledger import Ledger
    from healer.hospital.source import DicomSource
    from healer.hospital.watch import Watcher

    archive = Archive(dicomweb, settings)
    source = DicomSource(settings, archive)
    screener.opener, screener.on_answered = source.open, source.finish
    audit = settings.audit.get_secret_value() if settings.audit else None
    ledger = Ledger(
        audit or f"sqlite:///{screener.out / 'watch.db'}",
        dicomweb,
        screener.identity,
        records_answers=audit is not None,
    )
    return Watcher(archive, source, screener, ledger, options)


@contextmanager
def only_watcher(out: Path) -> Iterator[None]:
    """Raises WatchTaken, and OutputNotWritable."""
    import filelock

    try:
        out.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(out / "watch.lock", blocking=False):
            yield
    except filelock.Timeout:
        raise WatchTaken(str(out)) from None
    except OSError as error:
        raise OutputNotWritable(out.name, error.strerror or type(error).__name__) from None


def stop_on_signals(stop: threading.Event) -> None:
    """The first ends the watch after the slide that is being read; a second one at once."""

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
