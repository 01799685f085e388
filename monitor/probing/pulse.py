"""The pulse of one probe: beats go out when due, echoes come in, time-outs fall when they must.

It lives as long as the probe and beats on whichever connection it is attached to. It decides
nothing about connections: what came of each heartbeat goes to `publish`, in order.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable

from monitor.config import ProbeConfig
from monitor.core.events import HeartbeatEvent, Mode
from monitor.core.heartbeats import NEVER, Heartbeats, Order
from monitor.core.settling import Settling
from monitor.dialects.control import ping_key, ping_payload
from monitor.dialects.dialect import Dialect
from monitor.net.connection import Arrival, Connection
from monitor.probing import plans
from monitor.probing.alarms import Alarms
from monitor.probing.farewell import LOOK_AGAIN, Farewell, Publish

MESSAGE, PING = Mode
"""By names of their own, which are looked up faster than a member of an enumeration."""


class Pulse:
    """Drives the books of each mode by the loop's clock and the connection's arrivals.

    Args:
        heartbeats: the books.
        publish: is told what came of each heartbeat.
        wake: is called when a deadline has come. Must call `beat`, and see to what that raises.
        alarms: wake us at deadlines.
    """

    def __init__(
        self,
        heartbeats: dict[Mode, Heartbeats],
        publish: Publish,
        wake: Callable[[float], None],
        alarms: Alarms,
    ) -> None:
        self.heartbeats = heartbeats
        self._loop = asyncio.get_running_loop()
        self._publish = publish
        self._wake = wake
        self._alarms = alarms
        self._alarm = NEVER
        # One for all alarms: what is made for each would be the collector's to look through.
        self._ring = self._rung
        self._connection: Connection | None = None
        self._dialect: Dialect | None = None
        self._nonce = b""
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, connection: Connection, dialect: Dialect) -> None:
        """Beat on this connection from now on: it is usable. `part` from the one before it."""
        self._connection = connection
        self._dialect = dialect
        self._nonce = secrets.token_hex(8).encode()
        for heartbeats in self.heartbeats.values():
            # What fell due without a connection is none of this one's affair.
            self._publish(heartbeats.catch_up(self._loop.time()))
            heartbeats.opened(proven=not dialect.usable_at_once)
            self._arm(heartbeats)

    def part(self, modes: Collection[Mode]) -> Farewell | None:
        """Beat no more on the connection in use; return what settles what is in flight there.

        Only these modes go on; the books of others end.
        """
        self._drop(self.heartbeats.keys() - modes)
        if self._connection is None:
            return None
        books = {
            mode: Settling(heartbeats, heartbeats.part())
            for mode, heartbeats in self.heartbeats.items()
        }
        return Farewell(books, self._connection, self._nonce, self._publish_former)

    def change(self, config: ProbeConfig) -> None:
        """Beat as this config says. Nothing may be in flight: `part` or `detach` came before."""
        now = self._loop.time()
        made = plans.make_heartbeats(config, now)
        self._drop(self.heartbeats.keys() - made.keys())
        for mode, heartbeats in self.heartbeats.items():
            self._publish(heartbeats.change(*plans.make_beat(config, mode), now))
            made[mode] = heartbeats
        self.heartbeats = made

    def _drop(self, modes: Iterable[Mode]) -> None:
        """Let go of the books of some modes, which concern nobody any more."""
        for mode in modes:
            del self.heartbeats[mode]

    def _publish_former(self, events: list[HeartbeatEvent]) -> None:
        """Publish what was settled on a former connection, but for modes that were taken away."""
        self._publish([event for event in events if event.mode in self.heartbeats])

    def detach(self) -> None:
        """Beat no more: the connection ended. What is in flight is aborted."""
        self._connection = self._dialect = None
        for heartbeats in self.heartbeats.values():
            self._publish(heartbeats.lost(self._loop.time()))

    def stop(self) -> None:
        """Let go of the timer; an alarm that still rings finds nothing to do."""
        self._stop_timer()
        self._alarm = NEVER

    def beat(self, due: float) -> None:
        """Do what is due at `due`: a slot of one of the schedules."""
        now = self._loop.time()
        # Loop timers may fire a clock tick early.
        now = due if due > now else now
        for heartbeats in self.heartbeats.values():
            deadline = heartbeats.next_deadline()
            if deadline <= now and self._must_read_first(deadline):
                self._loop.call_later(LOOK_AGAIN, self._wake, now)
                return
            events, order = heartbeats.poll(now)
            if events:
                self._publish(events)
            if order is not None:
                self._carry_out(heartbeats, order)
            self._arm(heartbeats)

    def echo(self, key: int | None, arrival: Arrival) -> None:
        """Account for the echo of a message heartbeat."""
        self._received(MESSAGE, key, arrival)

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Account for a pong."""
        self._received(PING, ping_key(self._nonce, payload), arrival)

    def _received(self, mode: Mode, key: int | None, arrival: Arrival) -> None:
        heartbeats = self.heartbeats.get(mode)
        if heartbeats is not None:
            arrived, earliest = arrival
            self._publish(heartbeats.received(key, arrived, earliest))
            if heartbeats.waiting is not None:
                self._arm(heartbeats)

    def _must_read_first(self, deadline: float) -> bool:
        """Whether an echo that came in time may still wait in the kernel: our stall, no miss."""
        return self._connection is not None and self._connection.unread_since(deadline)

    def _carry_out(self, heartbeats: Heartbeats, order: Order) -> None:
        at = None
        try:
            at = self._send(heartbeats.mode, order)
        finally:
            self._publish([heartbeats.unsent() if at is None else heartbeats.sent(order, at)])

    def _send(self, mode: Mode, order: Order) -> float | None:
        if self._connection is None or self._dialect is None:
            return None
        key, copies, _ = order
        if mode is PING:
            return self._connection.ping(ping_payload(self._nonce, key))
        return self._connection.send(self._dialect.heartbeat(key), copies)

    def _arm(self, heartbeats: Heartbeats) -> None:
        """See to it that we are woken at the next deadline."""
        when = heartbeats.next_deadline()
        if heartbeats.waiting is not None:
            self._arm_timer(when)
        elif when < self._alarm:
            # One alarm too many costs less than one taken back.
            self._alarm = when
            self._alarms.set(when, self._ring)

    def _rung(self, moment: float) -> None:
        """Wake if a deadline has come; most have been met long ago."""
        if moment < self._alarm:
            return
        self._alarm = NEVER
        for heartbeats in self.heartbeats.values():
            if heartbeats.next_deadline() <= moment:
                self._wake(moment)
                break
        for heartbeats in self.heartbeats.values():
            self._arm(heartbeats)

    def _arm_timer(self, when: float) -> None:
        """Have a timer of our own: a beat waits to be sent, and should not wait for long."""
        if self._timer is None or when < self._timer.when():
            self._stop_timer()
            self._timer = self._loop.call_at(when, self._fire, when)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self, when: float) -> None:
        self._timer = None
        # Loop timers may fire a clock tick early.
        self._wake(when)
