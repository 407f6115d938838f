"""Structured logs. No picture, file name or token is ever passed to a logger."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import Processor

from healer.settings.loading import Settings

log = structlog.get_logger(__name__)

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# One list for the process's life: cached loggers refer to it.
PROCESSORS: list[Processor] = [*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]


class Handler(logging.StreamHandler[TextIO]):
    in_json = False

    def write(self, lines: str) -> None:
        """In JSON already."""
        self.acquire()
        try:
            self.stream.write(lines)
            self.flush()
        except Exception:  # as every handler: a log that fails stops nothing
            self.handleError(logging.makeLogRecord({"msg": lines}))
        finally:
            self.release()


class FrequentLine:
    """`event` with `fields` at level INFO, as structlog would write it, for where that would take
    longer than what it reports. Of no request: what is bound to a context is not in it."""

    def __init__(self, name: str, event: str, **fields: str | int) -> None:
        self._logger, self._root = logging.getLogger(name), logging.getLogger()
        self._structured, self._event, self._fields = structlog.get_logger(name), event, fields
        self._begin = json.dumps({**fields, "event": event, "level": "info"})[:-1]

    def write(self, lines: Iterable[Mapping[str, str | float]]) -> None:
        """One for each of `lines`, which have fields of their own."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        handlers = self._root.handlers
        handler = handlers[0] if len(handlers) == 1 else None
        if isinstance(handler, Handler) and handler.in_json:
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            handler.write("".join(self._rendered({**line, "timestamp": now}) for line in lines))
            return
        for line in lines:
            self._structured.info(self._event, **self._fields, **line)

    def _rendered(self, line: Mapping[str, str | float]) -> str:
        return f"{self._begin}, {json.dumps(line)[1:]}\n"


def configure(settings: Settings) -> None:
    """Route structlog and the libraries' own logging to stderr, in one format."""
    structlog.configure(
        processors=PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = Handler(sys.stderr)
    rendering = _rendering(settings)
    handler.in_json = isinstance(rendering[-1], structlog.processors.JSONRenderer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Only our own loggers may go below INFO: Pillow, for one, logs every tag of a picture.
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("healer").setLevel(level)
    # It logs every plugin and version check; we log the upgrades ourselves.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes the request


def _rendering(settings: Settings) -> list[Processor]:
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    if console:
        # A traceback that shows locals would show a tile, or a key.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def warn_of_unknown_variables(settings: Settings) -> None:
    for name, hint in settings.unknown_variables().items():
        log.warning("no setting reads this variable", variable=name, hint=hint)
