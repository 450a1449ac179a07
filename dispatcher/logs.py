"""Logging of every process: structlog, readable on a terminal or one JSON object a line.

Events are fixed phrases, the rest are fields. Never audio, text or keys.
"""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from dispatcher.settings import Settings

_QUIET = (
    *("aiohttp.access", "celery.beat", "celery.worker.strategy", "celery.app.trace"),
    *("alembic", "asyncio", "faster_whisper"),
)


class LossyStream(io.TextIOBase):
    """A stream that loses what cannot be written: a log file on a full disk must not fail a turn."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream that others may use too."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, or lose it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or lose what it holds."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Return whether an operator looks at it."""
        return self._stream.isatty()


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to stderr in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = _renderer(settings)
    structlog.configure(
        processors=[*shared, structlog.processors.StackInfoRenderer(), *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(LossyStream(sys.stderr))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(settings: Settings) -> list[Any]:
    if settings.log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Where `rich` is installed, structlog's own choice shows the variables of every frame: words and keys.
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=20,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]
