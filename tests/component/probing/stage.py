"""A fleet with everything real but its peers, and a record of what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from monitor.config import ProbeConfig, parse_config
from monitor.core.availability import Availability
from monitor.core.events import Event, HeartbeatEvent
from monitor.core.traffic import Traffic
from monitor.net.dial import Dialer
from monitor.net.loop_watch import LoopWatch
from monitor.probing.beats import Beats
from monitor.probing.fleet import Fleet, Observer
from monitor.probing.gate import Gate, GateLimits
from monitor.probing.probe import Probe
from tests.component.net.peers import CLOSE, PATIENCE, TEXT, Peer, Script, close_frame, frame

E = TypeVar("E")

TEXT_WITH_ID = "protocol: text, text: {send: 'beat {id}'}, heartbeat: {interval: 50ms}"
"""A probe that beats twenty times a second and matches its echoes exactly."""

QUICK = "reconnect: {base: 10ms, max: 20ms}"
"""A probe that comes back at once."""

CONNECTED = frame(TEXT, b'{"res":"v1.connected","data":{}}')


def config(rest: str, port: int, name: str = "p", scheme: str = "ws") -> ProbeConfig:
    """A probe of a server on loopback, from the inside of its flow mapping."""
    url = f"{scheme}://127.0.0.1:{port}/s"
    (probe,) = parse_config(f"probes: [{{name: {name}, url: '{url}', {rest}}}]", "c.yaml").probes
    return probe


@dataclass
class Record:
    """What one probe told, in order."""

    events: list[Event] = field(default_factory=list)
    changes: list[ProbeConfig] = field(default_factory=list)
    forgotten: bool = False
    _something: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)
        self._something.set()

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def count(self, kind: type[Any]) -> int:
        """Return how many events of one kind there are."""
        return len(self.of(kind))

    def story(self) -> list[str]:
        """Return the names of all events but those of heartbeats, in order."""
        return [
            type(event).__name__ for event in self.events if not isinstance(event, HeartbeatEvent)
        ]

    async def until(self, kind: type[E], count: int = 1) -> E:
        """Wait for so many events of one kind; return the last of them."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.of(kind)) < count:
                self._something.clear()
                await self._something.wait()
        return found[count - 1]


class Stage:
    """Runs a fleet."""

    def __init__(self, watch: LoopWatch) -> None:
        self.beats = Beats()
        self.dialer = Dialer(watch)
        self.gate = Gate(GateLimits(concurrent=100, per_second=1000.0, tickets_per_minute=10_000.0))
        self.records: dict[str, Record] = {}
        self.fleet = Fleet(
            dialer=self.dialer, gate=self.gate, beats=self.beats, observe=self._observe
        )

    async def run(self, *configs: ProbeConfig) -> Record:
        """Run these probes and no others; return what the first one tells."""
        await self.fleet.apply(configs)
        return self.records[configs[0].name]

    def probe(self, name: str = "p") -> Probe:
        """Return a probe that runs, and see that its books balance."""
        probe = self.fleet.probes[name]
        assert all(beats.books.balanced for beats in probe.heartbeats.values())
        return probe

    async def leave(self) -> None:
        """End everything; see that all books balance."""
        for name in self.fleet.probes:
            self.probe(name)
        await self.fleet.stop()
        self.beats.stop()
        await self.dialer.close()

    def _observe(self, config: ProbeConfig, _: Traffic, __: Availability) -> Observer:
        record = self.records[config.name] = Record()

        def forget() -> None:
            record.forgotten = True

        return Observer(record, record.changes.append, forget)


def echoes(peer: Peer) -> None:
    """Accept and echo until the end."""
    peer.upgrade()
    peer.echo()


def swallows(peer: Peer) -> None:
    """Accept and read, and answer nothing but a close frame."""
    peer.upgrade()
    peer.read_close()


def closes(code: int) -> Script:
    """Accept and close at once."""

    def script(peer: Peer) -> None:
        peer.upgrade(then=close_frame(code))
        peer.read_close()

    return script


def talo(after: Callable[[Peer], None]) -> Script:
    """Sell tickets; accept an upgrade that shows one, and go on as told."""

    def script(peer: Peer) -> None:
        if peer.read_request().startswith("POST /v1/socket-tickets "):
            peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"ticket":"abc"}')
            peer.wait_end()
            return
        assert "ticket=abc" in peer.request
        peer.upgrade()
        after(peer)

    return script


def heartbeats(peer: Peer, count: int) -> list[bytes]:
    """Read so many data frames; let a close frame end it."""
    read = []
    while len(read) < count:
        opcode, payload = peer.read_frame()
        if opcode == CLOSE:
            raise ConnectionError("the client closes")
        read.append(payload)
    return read
