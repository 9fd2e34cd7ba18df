"""Logs: structlog, one line an event, as JSON or for a person; request and deployment ids are bound.

The level may change while a node runs, so it is asked for by each line: loggers are made once, and kept.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

_log = structlog.get_logger(__name__)
_LEVELS: Final = logging.getLevelNamesMapping()
_least = logging.INFO


def configure_logging(level: str, form: str) -> None:
    """Log to stderr; ``form`` is ``json``, ``console``, or ``auto`` (console on a terminal)."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        # Plain tracebacks: the pretty ones print local variables, and with them secrets.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    global _least
    _least = _LEVELS[level.upper()]
    structlog.configure(
        processors=[_drop_below_level, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=max(_least, logging.WARNING), force=True)


def change_level(level: str) -> None:
    """Log what is of ``level`` or above from now on, and say so; of other libraries what was before."""
    global _least
    number = _LEVELS[level.upper()]
    # Said while the finer of both holds, so that it is seen.
    _least = min(_least, number)
    _log.warning("log.level_changed", to=level)
    _least = number


def _drop_below_level(
    _logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if _LEVELS.get(method.upper(), logging.CRITICAL) < _least:
        raise structlog.DropEvent
    return event
