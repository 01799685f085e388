"""A connection that beats have moved from: open until what is in flight on it has settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from monitor.core.events import HeartbeatEvent, Mode
from monitor.core.heartbeats import NEVER
from monitor.core.settling import Settling
from monitor.dialects.control import ping_key
from monitor.net.connection import Arrival, Connection

LOOK_AGAIN = 0.002
"""Seconds until the next look for what should be read before a heartbeat is called missed."""

Publish = Callable[[list[HeartbeatEvent]], None]


class Farewell:
    """Hears the last echoes of one connection, and minds their deadlines.

    Args:
        books: what is in flight, by mode.
        connection: where.
        nonce: marks the pings that were sent there.
        publish: is told what came of each heartbeat.

    Attributes:
        settled: completes when nothing is in flight any more.
    """

    def __init__(
        self,
        books: Mapping[Mode, Settling],
        connection: Connection,
        nonce: bytes,
        publish: Publish,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._books = books
        self._connection = connection
        self._nonce = nonce
        self._publish = publish
        self._timer: asyncio.TimerHandle | None = None
        self.settled: asyncio.Future[None] = self._loop.create_future()
        self._go_on()

    def echo(self, key: int | None, arrival: Arrival) -> None:
        """Account for the echo of a message heartbeat."""
        self._received(Mode.MESSAGE, key, arrival)

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Account for a pong."""
        self._received(Mode.PING, ping_key(self._nonce, payload), arrival)

    def end(self) -> None:
        """Settle no more: the connection ended. What is in flight is aborted."""
        self._stop()
        for books in self._books.values():
            self._publish(books.lost(self._loop.time()))

    def _received(self, mode: Mode, key: int | None, arrival: Arrival) -> None:
        books = self._books.get(mode)
        if books is not None:
            self._publish(books.received(key, *arrival))
            self._go_on()

    def _go_on(self) -> None:
        """Wait for the next deadline, or say that there is none."""
        self._stop()
        when = min((books.next_deadline() for books in self._books.values()), default=NEVER)
        if when < NEVER:
            self._timer = self._loop.call_at(when, self._fire, when)
        elif not self.settled.done():
            self.settled.set_result(None)

    def _fire(self, when: float) -> None:
        # An echo that came in time may still wait in the kernel: our stall, no miss.
        if self._connection.unread_since(when):
            self._timer = self._loop.call_later(LOOK_AGAIN, self._fire, when)
            return
        for books in self._books.values():
            # Loop timers may fire a clock tick early.
            self._publish(books.expire(when))
        self._go_on()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
