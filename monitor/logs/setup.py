"""How a log line looks: JSON for machines, one readable line for people. Always to stderr."""

from __future__ import annotations

import logging
import sys
import traceback
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
            foreign_pre_chain=[*shared, _one_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _name_exception,
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
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Cut a library's message after its first line: asyncio puts the texts of exceptions below."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _name_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Turn a traceback into its kind and place: its text and its locals may hold a secret."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])
        place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
        event["error"] = info[0].__name__ + place
    return event
