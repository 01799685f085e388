"""A log that a test can read, and that leaves no trace in the next one."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from monitor.logs.setup import Format, configure

Read = Callable[[], str]
"""Returns what was written to standard error since it was last asked."""


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Give the process its own logging back."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    muted = {name: logging.getLogger(name).level for name in ("aiohttp.access", "websockets")}
    # `force` closes what it replaces, and pytest still needs that.
    root.handlers = []
    yield
    root.handlers, root.level = before
    for name, level in muted.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Read]:
    """Return what sets the log up, and returns what reads it."""

    def log(level: str = "debug", how: Format = "json") -> Read:
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        configure(level, how)

        def read() -> str:
            text = stderr.getvalue()
            stderr.seek(0)
            stderr.truncate()
            return text

        return read

    return log


@pytest.fixture
def lines(log: Callable[..., Read]) -> Callable[[], list[dict[str, Any]]]:
    """Return what reads the lines of a JSON log that writes everything."""
    read = log()
    return lambda: [json.loads(line) for line in read().splitlines()]
