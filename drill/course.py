"""Runs scenarios: breaks a target, waits for word of it, heals it, waits for the end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drill.outcome import INTERVAL, THRESHOLD, TIMEOUT, Outcome, seen_from
from drill.receiver import Receiver
from drill.scenarios import Scenario
from tests.integration.harness import Lab, TargetHandle, talo_probe


@dataclass(frozen=True, slots=True)
class FarmTarget(TargetHandle):
    """A target on an address of its own."""

    host: str
    protocol: str

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"{self.protocol}://{self.host}:{self.port}/"


async def start_farm(lab: Lab, protocols: Sequence[str]) -> list[FarmTarget]:
    """Start a target for each protocol, `ws` or `wss`."""
    process = lab.module("drill.farm", json.dumps(protocols), str(lab.directory), name="farm")
    places = json.loads(await process.first_line())
    return [
        FarmTarget(process, port, control, host, protocol)
        for protocol, (host, port, control) in zip(protocols, places, strict=True)
    ]


def sections(lab: Lab, vantage: str, target: FarmTarget, count: int = 1) -> list[dict[str, Any]]:
    """Return the config of a target's probes."""
    slug = vantage.replace(",", "").replace(" ", "-")
    trust = {"tls": {"ca_file": str(lab.directory / "ca.pem")}}
    more = trust if target.protocol == "wss" else {}
    beats = {"interval": f"{INTERVAL:g}s", "timeout": f"{TIMEOUT:g}s"}
    return [
        talo_probe(
            slug if count == 1 else f"{slug}-{number}",
            target.url,
            interval=beats["interval"],
            timeout=beats["timeout"],
            ping=beats,
            reconnect={"base": "200ms", "max": "2s"},
            missed_threshold=THRESHOLD,
            labels={"vantage": vantage},
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
        outcome = Outcome(
            scenario.name,
            seen_from(scenario.name),
            scenario.must,
            scenario.may,
            time.monotonic(),
        )
        await target.put(**scenario.faults)
        await self._hold(scenario, target)
        await self.until_told(outcome)
        outcome.healed = time.monotonic()
        await target.heal()
        await self.until_ended(outcome)
        return outcome

    def read(self, outcome: Outcome) -> Outcome:
        """Bring an outcome up to date."""
        return outcome.read(self.receiver.episodes())

    async def _hold(self, scenario: Scenario, target: FarmTarget) -> None:
        over = min(time.monotonic() + scenario.hold, self.end)
        while True:
            if scenario.action is not None:
                name, parameters = scenario.action
                await target.act(name, **parameters)
            await asyncio.sleep(scenario.every or max(over - time.monotonic(), 0))
            if time.monotonic() >= over:
                return

    async def until_told(self, outcome: Outcome) -> None:
        """Wait for word of each alert that must come."""
        await self._until(lambda: not self.read(outcome).missing)

    async def until_ended(self, outcome: Outcome) -> None:
        """Wait for word of their ends; what may come may last."""
        await self._until(lambda: self.read(outcome).over)

    async def _until(self, check: Callable[[], bool]) -> None:
        """Wait for a condition until the drill's end, and for no longer."""
        # Others' processes have no event to wait for.
        while not check() and time.monotonic() < self.end:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.1)
