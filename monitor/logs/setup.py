"""How a log line looks: JSON for machines, one readable line for people. Always to stderr."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]

_MUTED = ("aiohttp.access", "websockets")
"""Loggers that write whole requests, secrets included, or a line for each."""


def configure(level: str, how: Format) -> None:
    """Set up logging for the whole process, the libraries' lines included."""
    readable = how == "console" or (how == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_people() if readable else _for_machines()),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _MUTED:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _for_people() -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, sort_keys=False)
    ]


def _for_machines() -> list[Processor]:
    return [
        _foreign_exception,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]


def _foreign_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Turn a library's traceback into one line: its kind, not its text, which may hold a secret."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        event["exception"] = info[0].__name__
    return event
