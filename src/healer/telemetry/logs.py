"""Structured logs. No picture, file name or token is ever passed to a logger."""

from __future__ import annotations

import logging
import sys

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


def configure(settings: Settings) -> None:
    """Route structlog and the libraries' own logging to stderr, in one format."""
    structlog.configure(
        processors=PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings),
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
