"""What a part of the drill should bring, and what it brought."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from drill.receiver import Episode

INTERVAL = 1.0
TIMEOUT = 0.5
THRESHOLD = 3
TRANSIT = 5.0
"""Seconds that a notification may take beside waiting for heartbeats, a scrape and a look."""


def promise(interval: float) -> float:
    """Return the seconds in which the mission's alert must arrive, with this scrape interval."""
    return THRESHOLD * INTERVAL + interval + interval + TRANSIT


@dataclass(slots=True)
class Outcome:
    """The alerts of one place between two moments; monotonic seconds.

    `concerns` says of an alert whether it is from that place. `must` and `may` are names of alerts.
    Everything else is false.
    """

    name: str
    concerns: Callable[[Episode], bool]
    must: frozenset[str]
    may: frozenset[str]
    began: float
    healed: float | None = None
    until: float = math.inf
    episodes: list[Episode] = field(default_factory=list)

    def read(self, told: Iterable[Episode]) -> Outcome:
        """Take those that belong here from all that was told."""
        during = (one for one in told if self.began <= one.told < self.until)
        self.episodes = [one for one in during if self.concerns(one)]
        return self

    @property
    def missing(self) -> list[str]:
        """Alerts that should have arrived and did not."""
        return sorted(self.must - {episode.name for episode in self.episodes})

    @property
    def false(self) -> list[str]:
        """Alerts that should not have arrived and did."""
        return sorted({episode.name for episode in self.episodes} - self.must - self.may)

    @property
    def over(self) -> bool:
        """Whether the end of each alert that had to come was told."""
        ended = (one.ended is not None for one in self.episodes if one.name in self.must)
        return all(ended)

    def times(self, episode: Episode) -> tuple[float, float | None]:
        """Return seconds from the fault to the word of it, and from its end to the word of that."""
        over = None
        if episode.ended is not None and self.healed is not None:
            over = episode.ended - self.healed
        return episode.told - self.began, over


def seen_from(*vantages: str, **others: str) -> Callable[[Episode], bool]:
    """Return what asks whether an alert is of a vantage, or of none and has the other labels."""

    def concerns(episode: Episode) -> bool:
        where = episode.labels.get("vantage")
        if where is None:
            return bool(others) and others.items() <= episode.labels.items()
        return where in vantages

    return concerns
