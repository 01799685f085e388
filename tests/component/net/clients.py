"""The side under test: a dialer, plans for it, and somebody who takes down what arrives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from monitor.core.failures import Phase
from monitor.core.traffic import Traffic
from monitor.net.connection import Arrival, Connection
from monitor.net.dial import Dialer, Dialled, DialPlan
from monitor.net.dial_errors import DialError
from monitor.net.loop_watch import LoopWatch
from monitor.net.tls import TlsPlan
from tests.component.net.peers import PATIENCE


def watched_loop() -> asyncio.AbstractEventLoop:
    """The loop that the service runs on."""
    return asyncio.SelectorEventLoop(LoopWatch())


class Arrived(NamedTuple):
    """When something arrived: at `at`, or at some time since `earliest`."""

    at: float
    earliest: float


@dataclass
class Received:
    """Takes down what arrives on a connection."""

    messages: list[tuple[bytes, bool]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    arrivals: list[Arrived] = field(default_factory=list)
    read_at: list[float] = field(default_factory=list)
    _flooded: asyncio.Event = field(default_factory=asyncio.Event)
    _something: asyncio.Event = field(default_factory=asyncio.Event)

    def message(self, data: bytes, *, text: bool, arrival: Arrival) -> None:
        """Take a message."""
        self.messages.append((data, text))
        self._note(arrival)

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Take a pong."""
        self.pongs.append(payload)
        self._note(arrival)

    def flooded(self) -> None:
        """Take note of a flood, which is told once."""
        assert not self._flooded.is_set()
        self._flooded.set()

    async def flood(self) -> None:
        """Wait for a flood."""
        async with asyncio.timeout(PATIENCE):
            await self._flooded.wait()

    async def until(self, count: int) -> None:
        """Wait for so many messages and pongs, all together."""
        async with asyncio.timeout(PATIENCE):
            while len(self.arrivals) < count:
                self._something.clear()
                await self._something.wait()

    def _note(self, arrival: Arrival) -> None:
        self.arrivals.append(Arrived(*arrival))
        self.read_at.append(asyncio.get_running_loop().time())
        self._something.set()


class Client:
    """Dials, and hangs up in the end."""

    def __init__(self, dialer: Dialer, ca_file: Path) -> None:
        self.dialer = dialer
        self.ca_file = ca_file
        self.traffic = Traffic()
        self._connections: list[Connection] = []

    def plan(self, port: int, **options: Any) -> DialPlan:
        """Return a plan for a server on loopback; `short` names a phase with a short deadline."""
        timeouts = {phase: PATIENCE for phase in Phase if phase is not Phase.PROXY}
        short = options.pop("short", None)
        if short is not None:
            timeouts[short] = SHORT
        defaults: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "secure": False,
            "resource": "/",
            "timeouts": timeouts,
            "close_timeout": PATIENCE,
            "max_message_rate": 1_000_000,
            "tls": TlsPlan(ca_file=self.ca_file),
        }
        return DialPlan(**(defaults | options))

    async def dial(self, port: int, **options: Any) -> Dialled:
        """Make one attempt."""
        dialled = await self.dialer.dial(self.plan(port, **options), self.traffic)
        self._connections.append(dialled.connection)
        return dialled

    async def connect(self, port: int, **options: Any) -> tuple[Connection, Received]:
        """Make one attempt, and take down what arrives."""
        dialled = await self.dial(port, **options)
        received = Received()
        dialled.connection.deliver_to(received)
        return dialled.connection, received

    async def fail(self, port: int, **options: Any) -> DialError:
        """Make one attempt that must fail, and return how."""
        try:
            await self.dial(port, **options)
        except DialError as error:
            return error
        raise AssertionError("it should have failed")

    async def leave(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.give_up("the test is over")
            await connection.tear_down()


SHORT = 0.2
"""Seconds that a phase may take that is to run into its deadline."""
