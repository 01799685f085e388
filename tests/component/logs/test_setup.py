"""How a log line looks, whoever writes it, and what never gets into one."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from tests.component.logs.conftest import Read

Log = Callable[..., Read]
Lines = Callable[[], list[dict[str, Any]]]


def fail(secret: str) -> None:
    """Break with a text that nobody must see."""
    raise ValueError(f"no good: {secret}")


def log_a_failure() -> None:
    """Log as a library does that met an error it did not expect."""
    try:
        fail("hidden")
    except ValueError:
        logging.getLogger("asyncio").exception(
            "Task exception was never retrieved\nfuture: <Task exception=%s>", "hidden"
        )


def test_a_line_for_machines_is_one_json_object(lines: Lines) -> None:
    """With its level, its time in UTC, and what was bound."""
    structlog.get_logger().bind(probe="p").info("ready", seconds=0.5)
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line == {"probe": "p", "seconds": 0.5, "level": "info", "message": "ready"}


def test_a_line_for_people_is_one_readable_line(log: Log) -> None:
    """Without colours where nobody sees them."""
    read = log("info", "console")
    structlog.get_logger().info("ready", probe="p", detail="two words")
    assert re.fullmatch(r"\S+Z \[info +\] ready probe=p detail='two words'\n", read())


def test_without_a_terminal_lines_are_for_machines(log: Log) -> None:
    """As in a pod."""
    read = log("info", "auto")
    structlog.get_logger().info("ready")
    assert json.loads(read())["message"] == "ready"


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_what_matters_enough_is_written(log: Log, level: str, written: list[str]) -> None:
    """Of our own lines and of those of libraries."""
    read = log(level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)("ours")
        getattr(logging.getLogger("library"), name)("theirs")
    found = [json.loads(line) for line in read().splitlines()]
    assert [line["level"] for line in found if line["message"] == "ours"] == written
    assert [line["level"] for line in found if line["message"] == "theirs"] == written


@pytest.mark.parametrize("how", ["json", "console"])
def test_a_library_s_failure_is_one_line_with_its_kind_and_place(log: Log, how: str) -> None:
    """No traceback, no locals and no text: each of them may hold a secret."""
    read = log("info", how)
    log_a_failure()
    (line,) = read().splitlines()
    assert "hidden" not in line
    assert "Task exception was never retrieved" in line
    assert "ValueError at fail:" in line


def test_what_a_peer_says_cannot_begin_a_line_of_its_own(log: Log) -> None:
    """Nor move the cursor on a terminal."""
    read = log("info", "console")
    structlog.get_logger().info("x", detail="a\nb\x1b[2Jc")
    text = read()
    assert text.count("\n") == 1
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["aiohttp.access", "websockets", "websockets.client"])
def test_loggers_that_write_whole_requests_are_mute(lines: Lines, name: str) -> None:
    """Even at level debug, even with an error."""
    logging.getLogger(name).error("> GET /?ticket=hidden HTTP/1.1")
    assert lines() == []
