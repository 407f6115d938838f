"""`healer audit verify | export | replay | upgrade`: the audit log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer
from rich.console import Console
from rich.table import Table

from healer.cli.common import EngineOption, exit_on_error, expand_paths, settings_with, stderr
from healer.errors.audit import ImageNotRecorded
from healer.errors.base import InvalidSettings
from healer.errors.request import FileNotReadable, TooManyBytes
from healer.settings.loading import Settings

if TYPE_CHECKING:  # the store's libraries are an extra
    from healer.audit.replay import Replayed
    from healer.audit.store import Store

app = typer.Typer(help="The log that HEALER_AUDIT names.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)


@app.command()
@expand_paths
def verify(
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="A head kept from an earlier export.")
    ] = None,
) -> None:
    """Check that every record is as it was written; say which is the first that is not."""
    from healer.audit.chain import verify as verify_links

    with exit_on_error():
        with open_log(settings_with()) as store, closing(store.links()) as links:
            verified = verify_links(links, head)
        kinds = ", ".join(f"{n:,} of kind {kind}" for kind, n in sorted(verified.kinds.items()))
        console.print(f"{verified.head.sequence:,} records ({kinds or 'none'}), none broken")
        if verified.missed:
            lost = f"{verified.missed:,} answers were given while the log was down: see its gaps"
            console.print(lost)
        if verified.anchored is not None:
            console.print(f"the anchor is record {verified.anchored:,}")
        console.print(f"head {verified.head.hash}")


@app.command()
@expand_paths
def export(
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format")] = "jsonl",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new file, instead of the terminal.")
    ] = None,
) -> None:
    """Write every record out, and the head's hash to stderr: keep it elsewhere."""
    from healer.audit.chain import export as export_links

    with exit_on_error():
        settings = settings_with()
        with open_log(settings) as store, _output(out) as stream, closing(store.links()) as links:
            head = export_links(links, stream, form)
        stderr.print(f"{head.sequence:,} records\nhead {head.hash}")


@app.command()
@expand_paths
def replay(
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="The file that was sent.")
    ] = None,
    slide: Annotated[
        str | None,
        typer.Option(metavar="ID", help="In place of IMAGE: a slide of HEALER_SLIDES, by its id."),
    ] = None,
    dicomweb: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --slide: it is a series of this DICOM archive, by its UID."
        ),
    ] = None,
    engine: EngineOption = None,
    page: Annotated[
        int | None, typer.Option(min=1, help="Which page, of a file that holds several.")
    ] = None,
) -> None:
    """Score a picture, or a slide, again, and compare with what was answered."""
    if (image is None) == (slide is None):
        raise typer.BadParameter("give the file that was sent, or --slide, and not both")
    if dicomweb and slide is None:
        raise typer.BadParameter("name a series with --slide UID", param_hint="--dicomweb")
    with exit_on_error():
        settings = settings_with(engine=engine)
        if slide is not None:
            from healer.cli.audit_slide import replay_slide

            agrees = replay_slide(settings, slide, dicomweb)
        elif image is not None:
            agrees = replay_image(settings, image, page)
    raise typer.Exit(0 if agrees else 1)


@app.command()
@expand_paths
def upgrade() -> None:
    """Make the log's tables, or bring them to this version; needed once on PostgreSQL."""
    with exit_on_error(), open_log(settings_with(), read_only=False) as store:
        console.print(f"The audit log's tables are of version {store.upgrade()}.")


@contextmanager
def open_log(settings: Settings, *, read_only: bool = True) -> Iterator[Store]:
    from healer.audit.journal import open_store
    from healer.telemetry.logs import configure

    if settings.audit is None:
        raise InvalidSettings("HEALER_AUDIT", "is not set, so there is no log to read")
    configure(settings)
    store = open_store(settings.audit.get_secret_value(), read_only=read_only)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        stream = out.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidSettings("--out", f"cannot be written ({error.strerror})") from None
    with stream:
        yield stream


def replay_image(settings: Settings, image: Path, page: int | None) -> bool:
    """True where every answer that can be compared is as it was."""
    from healer.audit.records import file_digest, pixel_digest
    from healer.audit.replay import replay as replay_answers
    from healer.images.decode import decode
    from healer.screening.opening import choose_engine, open_screener

    data = _bytes_of(image, settings.max_bytes)
    tile = decode(data, max_pixels=settings.max_pixels, page=page)
    pixels = pixel_digest(tile)
    with open_log(settings) as store:
        answers = store.answers_for(file_digest(data), pixels)
    if not answers:
        raise ImageNotRecorded
    screener = open_screener(choose_engine(settings), settings)
    try:
        replayed = replay_answers(screener, tile, pixels, answers)
    finally:
        screener.engine.close()
    _show(replayed)
    if left_out := len(answers) - len(replayed):
        console.print(f"{left_out} more were given by something else than is configured")
    return all(answer.reason is None for answer in replayed)


def _bytes_of(image: Path, limit_bytes: int) -> bytes:
    try:
        if image.stat().st_size > limit_bytes:
            raise TooManyBytes(limit_bytes)
        return image.read_bytes()
    except OSError as error:
        raise FileNotReadable(error.strerror or type(error).__name__) from None


def _show(replayed: Iterable[Replayed]) -> None:
    from healer.audit.replay import TOLERANCE

    table = Table(
        "Time",
        "Request",
        "Recorded",
        "Now",
        "Agrees",
        caption=f"Verdict, probability, margin; a margin may move by {TOLERANCE}",
    )
    for answer in replayed:
        recorded, verdict = answer.recorded, answer.verdict
        table.add_row(
            f"{recorded.time:%Y-%m-%d %H:%M:%S}",
            recorded.request_id,
            f"{recorded.verdict}, {recorded.probability:.4f}, {recorded.margin:+.4f}",
            f"{verdict.answer}, {verdict.probability:.4f}, {answer.margin:+.4f}",
            "yes" if answer.reason is None else f"no: {answer.reason}",
        )
    console.print(table)
