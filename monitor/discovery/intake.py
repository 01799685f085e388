"""From the targets of a source to probes: what fits the template, and no more than the limit."""

from __future__ import annotations

import time
from dataclasses import dataclass

from monitor.config import DiscoveredProbe, DiscoveredTarget, Template, Unfit, make_probe
from monitor.core.deny_list import DenyList
from monitor.discovery.source import Targets


@dataclass(frozen=True, slots=True)
class Refused:
    """A target that makes no probe, and why; the reason repeats nothing that the source said."""

    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of the targets of a source."""

    probes: tuple[DiscoveredProbe, ...] = ()
    refused: tuple[tuple[DiscoveredTarget, str], ...] = ()
    over_limit: int = 0


class Intake:
    """Makes probes of targets. What it made of one it keeps for as long as the target is there."""

    def __init__(self, template: Template, deny_list: DenyList, limit: int) -> None:
        self._template = template
        self._deny_list = deny_list
        self._limit = limit
        self._made: dict[DiscoveredTarget, DiscoveredProbe | Refused] = {}

    def take(self, targets: Targets) -> Batch:
        """Make probes, in the order of the targets. May run in a thread, one call at a time."""
        made: dict[DiscoveredTarget, DiscoveredProbe | Refused] = {}
        probes: list[DiscoveredProbe] = []
        for target in targets:
            if len(probes) == self._limit:
                break
            made[target] = result = self._made.get(target) or self._make(target)
            if isinstance(result, DiscoveredProbe):
                probes.append(result)
        self._made = made
        refused = ((t, each.reason) for t, each in made.items() if isinstance(each, Refused))
        return Batch(tuple(probes), tuple(refused), len(targets) - len(made))

    def _make(self, target: DiscoveredTarget) -> DiscoveredProbe | Refused:
        # A thread keeps the interpreter for 5 ms at a time, unless it offers it to the loop.
        time.sleep(0)
        try:
            return make_probe(self._template, target, self._deny_list)
        except Unfit as reason:
            return Refused(str(reason))
