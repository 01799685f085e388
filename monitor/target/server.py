"""The target as its users see it: start, stop, faults, one-shot acts, and the timers for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.target.backend import Backend
from monitor.target.connection import Connection
from monitor.target.control import Control
from monitor.target.counters import Counters
from monitor.target.envelope import LIVE_CONFIG_UPDATED
from monitor.target.faults import CloseFrame, Faults
from monitor.target.settings import TargetSettings
from monitor.target.socket_server import SocketServer

_REVOKED = CloseFrame(3000)


class Target:
    """A server that speaks Talo's socket protocol. It runs in the event loop that starts it."""

    def __init__(self, settings: TargetSettings) -> None:
        self._settings = settings
        self._backend = Backend(settings)
        self._sockets: SocketServer | None = None
        self._control: Control | None = None
        self._port = settings.port
        self._tick_is_overdue = False
        self._tick_timer: asyncio.TimerHandle | None = None
        self._noise_timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port of the sockets; the real one once the target has started."""
        return self._port

    @property
    def control_port(self) -> int | None:
        """The port of the control endpoint, or None while there is none."""
        return None if self._control is None else self._control.port

    @property
    def counters(self) -> Counters:
        """The target's books, live."""
        return self._backend.counters

    @property
    def faults(self) -> Faults:
        """The faults that are on; set it to replace them all at once.

        Raises:
            OSError: on setting: `refuse` is released and the port is no longer free. Nothing has
                changed then.
        """
        return self._backend.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if self._sockets is None:
            self._backend.faults = faults
            return
        self._sockets.adjust(listening=not faults.refuse, frozen=faults.freeze)
        self._backend.faults = faults
        # A process that wakes up runs its overdue timers first, and reads afterwards.
        if self._tick_is_overdue and not faults.freeze:
            self.tick()
        for connection in self._sockets.connections:
            connection.resume()
        self._restart_noise()

    def heal(self) -> None:
        """Turn all faults off and accept revoked keys again.

        Raises:
            OSError: as for setting `faults`.
        """
        self.faults = Faults()
        self._backend.credentials.reinstate()

    async def start(self) -> None:
        """Listen, and start the liveness tick. A target starts once.

        Raises:
            OSError: a port cannot be bound.
        """
        self._sockets = await SocketServer.open(self._backend)
        self._port = self._sockets.port
        try:
            await self._start_control()
        except OSError:
            await self.stop()
            raise
        self.faults = self._backend.faults
        self._schedule_tick(asyncio.get_running_loop().time() + self._settings.tick_period)

    async def stop(self) -> None:
        """Stop as Talo does: every connection just ends, without a close frame. Idempotent."""
        for timer in (self._tick_timer, self._noise_timer):
            if timer is not None:
                timer.cancel()
        if self._sockets is not None:
            await self._sockets.close()
            self._sockets = None
        if self._control is not None:
            await self._control.stop()
            self._control = None

    # One-shot acts on the open connections. They take place at once, also while the target is
    # frozen; each returns how many connections there were.

    def close_connections(self, frame: CloseFrame) -> int:
        """Send a close frame on every connection."""
        return self._on_each(lambda connection: connection.close(frame))

    def reset_connections(self) -> int:
        """End every connection with a TCP RST."""
        return self._on_each(Connection.reset)

    def abort_connections(self) -> int:
        """End every connection with a TCP FIN, without a close frame."""
        return self._on_each(Connection.abort)

    def revoke_keys(self) -> int:
        """Refuse the keys that were accepted so far, and close every connection with 3000."""
        self._backend.credentials.revoke()
        return self.close_connections(_REVOKED)

    def tick(self) -> int:
        """Run the liveness tick now: cut connections without a sign of life, ping the others."""
        self._tick_is_overdue = False
        return self._on_each(Connection.tick)

    def push(self, text: str) -> int:
        """Send a text on every connection, as a message that answers nothing."""
        return self._on_each(lambda connection: connection.push(text))

    def _on_each(self, act: Callable[[Connection], None]) -> int:
        connections = () if self._sockets is None else self._sockets.connections
        for connection in connections:
            act(connection)
        return len(connections)

    async def _start_control(self) -> None:
        settings = self._settings
        if settings.control_port is not None:
            self._control = await Control.start(self, settings.control_host, settings.control_port)

    def _schedule_tick(self, due: float) -> None:
        self._tick_timer = asyncio.get_running_loop().call_at(due, self._on_tick, due)

    def _on_tick(self, due: float) -> None:
        if self.faults.freeze:
            self._tick_is_overdue = True
        else:
            self.tick()
        # After a stall of our own the next one comes a whole period from now: no burst.
        now = asyncio.get_running_loop().time()
        self._schedule_tick(max(due, now - self._settings.tick_period) + self._settings.tick_period)

    def _restart_noise(self) -> None:
        if self._noise_timer is not None:
            self._noise_timer.cancel()
            self._noise_timer = None
        if self.faults.noise > 0:
            self._schedule_noise()

    def _schedule_noise(self) -> None:
        self._noise_timer = asyncio.get_running_loop().call_later(
            1 / self.faults.noise, self._on_noise
        )

    def _on_noise(self) -> None:
        if not self.faults.freeze:
            self.push(LIVE_CONFIG_UPDATED)
        self._schedule_noise()


async def serve_until(
    settings: TargetSettings,
    stopped: asyncio.Event,
    ready: Callable[[Target], None] | None = None,
) -> None:
    """Run a target until `stopped` is set; call `ready` once it listens.

    Raises:
        OSError: a port cannot be bound.
    """
    target = Target(settings)
    await target.start()
    try:
        if ready is not None:
            ready(target)
        await stopped.wait()
    finally:
        await target.stop()
