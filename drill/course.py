"""Runs scenarios: breaks a target, waits for word of it, heals it, waits for the end."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drill.receiver import Episode, Receiver
from drill.scenarios import Scenario
from drill.servers import Prometheus
from tests.integration.harness import Lab, TargetHandle, talo_probe, wait_until

INTERVAL = 1.0
THRESHOLD = 3
TRANSIT = 5.0
"""Seconds that a notification may take beside waiting for heartbeats, a scrape and a look."""


@dataclass(slots=True)
class Outcome:
    """What a scenario brought; monotonic seconds."""

    name: str
    must: frozenset[str]
    may: frozenset[str]
    began: float
    healed: float | None = None
    episodes: list[Episode] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Alerts that should have arrived and did not."""
        return sorted(self.must - {episode.name for episode in self.episodes})

    @property
    def false(self) -> list[str]:
        """Alerts that should not have arrived and did."""
        return sorted({episode.name for episode in self.episodes} - self.must - self.may)

    def times(self, episode: Episode) -> tuple[float, float | None]:
        """Return seconds from the fault to the word of it, and from its end to the word of that."""
        over = None
        if episode.ended is not None and self.healed is not None:
            over = episode.ended - self.healed
        return episode.told - self.began, over


@dataclass(frozen=True, slots=True)
class FarmTarget(TargetHandle):
    """A target on an address of its own."""

    host: str
    tls: bool

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"{'wss' if self.tls else 'ws'}://{self.host}:{self.port}/"


def promise(interval: float) -> float:
    """Return the seconds in which the mission's alert must arrive, with this scrape interval."""
    return THRESHOLD * INTERVAL + interval + interval + TRANSIT


async def start_farm(lab: Lab, count: int) -> list[FarmTarget]:
    """Start so many targets, of which the last one serves `wss`."""
    process = lab.program(
        sys.executable, "-m", "drill.farm", str(count), str(lab.directory), name="farm"
    )
    places = json.loads(await process.first_line())
    return [
        FarmTarget(process, port, control, host, tls=number == count)
        for number, (host, port, control) in enumerate(places, start=1)
    ]


def sections(lab: Lab, name: str, target: FarmTarget, count: int = 1) -> list[dict[str, Any]]:
    """Return the config of a target's probes; the vantage is the scenario's name."""
    slug = name.replace(",", "").replace(" ", "-")
    more = {"tls": {"ca_file": str(lab.directory / "ca.pem")}} if target.tls else {}
    return [
        talo_probe(
            slug if count == 1 else f"{slug}-{number}",
            target.url,
            interval=f"{INTERVAL:g}s",
            timeout="500ms",
            ping={"interval": f"{INTERVAL:g}s", "timeout": "500ms"},
            reconnect={"base": "200ms", "max": "2s"},
            missed_threshold=THRESHOLD,
            labels={"vantage": name},
            **more,
        )
        for number in range(1, count + 1)
    ]


@dataclass(frozen=True, slots=True)
class Course:
    """Runs scenarios until the monotonic second `end`, after which nothing is waited for."""

    receiver: Receiver
    end: float

    async def run(self, scenario: Scenario, target: FarmTarget) -> Outcome:
        """Break a target, wait for the alerts that must come, heal it, wait for their ends."""
        outcome = Outcome(scenario.name, scenario.must, scenario.may, time.monotonic())
        await target.put(**scenario.faults)
        await self._hold(scenario, target)
        await self.until(lambda: not self._read(outcome).missing)
        outcome.healed = time.monotonic()
        await target.heal()
        await self.until(lambda: all(found.ended for found in self._read(outcome).episodes))
        return outcome

    def _read(self, outcome: Outcome) -> Outcome:
        outcome.episodes = list(self.receiver.episodes(vantage=outcome.name))
        return outcome

    async def _hold(self, scenario: Scenario, target: FarmTarget) -> None:
        over = min(time.monotonic() + scenario.hold, self.end)
        while True:
            if scenario.action is not None:
                name, parameters = scenario.action
                await target.act(name, **parameters)
            pause = scenario.every or max(over - time.monotonic(), 0)
            await asyncio.sleep(pause)
            if time.monotonic() >= over:
                return

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait for a condition until the drill's end, and for no longer."""
        # Others' processes have no event to wait for.
        while not check() and time.monotonic() < self.end:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.1)


async def watched(prometheus: Prometheus, probes: int) -> None:
    """Wait until Prometheus has seen so many probes up."""
    expression = (
        "count(ws_probe_up == 1 and on (probe, vantage)"
        " ws_probe_heartbeats_echoed_total{mode='message'} > 0)"
    )

    def all_up() -> bool:
        found = prometheus.query(expression)
        return bool(found) and int(found[0]["value"][1]) == probes

    await wait_until(all_up, what=f"{probes} probes up in Prometheus", within=60, every=0.3)
