"""What every source of discovery has in common: it can be asked who is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from monitor.config import DiscoveredTarget

Targets = tuple[DiscoveredTarget, ...]


class LookFailedError(Exception):
    """A source could not be asked at all; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Failed:
    """One part of a source gave no answer; `reason` holds no secret."""

    reason: str


Answer = Mapping[str, Targets | Failed]
"""What each part of a source says: each file, each name. A part that is left out is gone."""


class Source(Protocol):
    """Somebody who names targets. A new kind is a class with these two methods."""

    async def look(self) -> Answer:
        """Ask who is there now; may be cancelled at any time.

        Raises:
            LookFailedError: no part of it could be asked.
        """
        ...

    async def stirred(self) -> bool:
        """Tell, cheaply, whether it is worth to look before the interval is over.

        Raises:
            LookFailedError: nobody can tell.
        """
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """The last answer of every part, and what is wrong with the latest look."""

    parts: Mapping[str, Targets]
    problems: tuple[str, ...] = ()

    def after(self, answer: Answer) -> Known:
        """Take an answer; a part that failed keeps what it said last."""
        parts = {}
        problems = []
        for name, part in answer.items():
            if isinstance(part, Failed):
                problems.append(part.reason)
                parts[name] = self.parts.get(name, ())
            else:
                parts[name] = part
        return Known(parts, tuple(problems))

    def after_failure(self, reason: str) -> Known:
        """Keep everything: the source could not be asked."""
        return Known(self.parts, (reason,))

    @property
    def targets(self) -> Targets:
        """Every target once, in an order that does not depend on that of the answers."""
        found = {target for part in self.parts.values() for target in part}
        return tuple(sorted(found, key=lambda target: (target.address, target.labels)))
