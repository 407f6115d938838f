"""`healer audit`: is the log whole, what is in it, and does Healer still answer the same?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table

from healer.audit.export import Format
from healer.audit.export import export as write_out
from healer.audit.export import verify as walk
from healer.audit.journal import open_store
from healer.audit.records import file_digest, pixel_digest
from healer.audit.replay import TOLERANCE, Replayed
from healer.audit.replay import replay as look_again
from healer.engines.registry import choose_engine
from healer.errors import FileNotReadable, ImageNotRecorded, InvalidSettings, TooManyBytes
from healer.images.decode import decode
from healer.screening.opening import open_screener
from healer.settings.loading import Settings
from healer.telemetry.logs import configure

if TYPE_CHECKING:  # its libraries are an extra
    from healer.audit.store import Store

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


@contextmanager
def store_of(settings: Settings, *, read_only: bool = True) -> Iterator[Store]:
    if settings.audit is None:
        raise InvalidSettings("HEALER_AUDIT", "is not set, so there is no log to look at")
    configure(settings)
    store = open_store(settings.audit.get_secret_value(), read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def upgrade(settings: Settings) -> None:
    with store_of(settings, read_only=False) as store:
        console.print(f"The audit log's tables are of version {store.upgrade()}.")


def verify(settings: Settings, anchor: str | None) -> None:
    with store_of(settings) as store, closing(store.links()) as links:
        found = walk(links, anchor)
    held = ", ".join(f"{count:,} of kind {kind}" for kind, count in sorted(found.kinds.items()))
    console.print(f"{found.head.sequence:,} records ({held or 'none'}), none broken")
    if found.missed:
        console.print(f"{found.missed:,} answers were given while the log was down: see its gaps")
    if found.anchored is not None:
        console.print(f"the anchor is record {found.anchored:,}")
    console.print(f"head {found.head.hash}")


def export(settings: Settings, form: Format, out: Path | None) -> None:
    with store_of(settings) as store, _stream(out) as stream, closing(store.links()) as links:
        head = write_out(links, stream, form)
    errors.print(f"{head.sequence:,} records\nhead {head.hash}")


@contextmanager
def _stream(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        stream = out.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidSettings("--out", f"cannot be written ({error.strerror})") from None
    with stream:
        yield stream


def replay(settings: Settings, image: Path, page: int | None = None) -> bool:
    """True where every answer that can be compared is as it was."""
    data = _bytes_of(image, settings.max_bytes)
    tile = decode(data, max_pixels=settings.max_pixels, page=page)
    pixels = pixel_digest(tile)
    with store_of(settings) as store:
        answers = store.answers_for(file_digest(data), pixels)
    if not answers:
        raise ImageNotRecorded
    screener = open_screener(choose_engine(settings), settings)
    try:
        replayed = look_again(screener, tile, pixels, answers)
    finally:
        screener.engine.close()
    _show(replayed)
    if left_out := len(answers) - len(replayed):
        console.print(f"{left_out} more were given by something else than is configured")
    return all(each.reason is None for each in replayed)


def _bytes_of(image: Path, limit_bytes: int) -> bytes:
    try:
        if image.stat().st_size > limit_bytes:
            raise TooManyBytes(limit_bytes)
        return image.read_bytes()
    except OSError as error:
        raise FileNotReadable(error.strerror or type(error).__name__) from None


def _show(replayed: Iterable[Replayed]) -> None:
    table = Table(
        "Time",
        "Request",
        "Recorded",
        "Now",
        "Agrees",
        caption=f"Verdict, probability, margin; a margin may move by {TOLERANCE}",
    )
    for each in replayed:
        then, verdict = each.recorded, each.verdict
        table.add_row(
            f"{then.time:%Y-%m-%d %H:%M:%S}",
            then.request_id,
            f"{then.verdict}, {then.probability:.4f}, {then.margin:+.4f}",
            f"{verdict.answer}, {verdict.probability:.4f}, {each.margin:+.4f}",
            "yes" if each.reason is None else f"no: {each.reason}",
        )
    console.print(table)
