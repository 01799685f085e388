"""What is wrong with a config, one line for each problem.

This module knows how a problem is written down.  It must not know how one is found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: mapping keys and list indices, outermost first."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWABLE_KEY = re.compile(r"[ -~]{0,80}")
_LOOKS_LIKE_A_VALUE = re.compile(r"[/?@&=:]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right."""

    source: str
    """The file's name as the user gave it."""
    line: int | None
    """Counted from 1; None when the file as a whole is meant."""
    path: str
    """The key path, `probes[2].heartbeat.interval`; empty when the file as a whole is meant."""
    message: str

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """A config that cannot be used; `str()` gives one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def format_path(path: KeyPath) -> str:
    """Write a key path the way a user would: `probes[2].headers.X-Team`.

    A key that may hold a mislaid value (a URL, or `KEY:VALUE` without a space) is not repeated.
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _BARE_KEY.fullmatch(step):
            text += f".{step}"
        elif _SHOWABLE_KEY.fullmatch(step) and not _LOOKS_LIKE_A_VALUE.search(step):
            text += f'["{step}"]'
        else:
            text += "[…]"
    return text.removeprefix(".")
