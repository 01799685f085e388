"""One probe: one connection's life after another, for as long as the probe is configured.

The probe's task dials, waits and tidies up. Everything else happens where it arises: a beat when
it is due, a frame when it is parsed, a time-out when its timer fires (`pulse`). What comes of it
is handed to the sink as events, in order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.config import ProbeConfig, SecretUnavailable
from monitor.core.availability import Availability
from monitor.core.backoff import Backoff
from monitor.core.events import (
    AbortReason,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Event,
    HeartbeatEvent,
    Indistinct,
    Initiator,
    Missed,
    Mode,
    Notice,
    Opened,
    PathMeasured,
    Ready,
    Stopped,
    UpChanged,
    Waiting,
)
from monitor.core.failures import FailureReason, Phase
from monitor.core.heartbeats import Heartbeats
from monitor.core.lifecycle import Lifecycle, Signal, State
from monitor.core.traffic import Traffic
from monitor.dialects.dialect import Dialect, Echo, Meaning, Remark, Usable
from monitor.net.connection import Arrival, Connection, Ending
from monitor.net.deadlines import deadline
from monitor.net.dial import Dialer, Dialled, DialPlan
from monitor.net.dial_errors import DialError, timed_out
from monitor.probing import plans
from monitor.probing.alarms import Alarms
from monitor.probing.gate import Gate
from monitor.probing.pulse import Pulse

Sink = Callable[[Event], None]

NORMAL_CLOSURE = 1000
POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class _Ordered:
    """We end the probe: the close code to say goodbye with, and why."""

    code: int
    reason: AbortReason


class Probe:
    """Watches one target.

    Args:
        config: what to watch and how.
        dialer: makes connections.
        gate: says when a connect may begin.
        alarms: wake it at deadlines.
        sink: takes every event; must not raise.
        traffic: counts what arrives.
        availability: keeps the downtime.
        chance: a random number in [0, 1) at each call; spreads reconnects.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands in each part by name
        self,
        config: ProbeConfig,
        *,
        dialer: Dialer,
        gate: Gate,
        alarms: Alarms,
        sink: Sink,
        traffic: Traffic,
        availability: Availability,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.config = config
        self._loop = asyncio.get_running_loop()
        self._dialer = dialer
        self._gate = gate
        self._sink = sink
        self._traffic = traffic
        self._availability = availability
        self._chance = chance
        self._lifecycle = Lifecycle(self._loop.time())
        self._backoff = Backoff(plans.make_backoff_policy(config))
        books = plans.make_heartbeats(config, self._loop.time())
        self._pulse = Pulse(books, self._follow, self.beat, alarms)
        self._dialect: Dialect = plans.make_dialect(config)
        self._connection: Connection | None = None
        self._usable: asyncio.Future[None] = self._loop.create_future()
        self._attempts = 0
        self._dialled_at = self._opened_at = self._loop.time()
        self._retransmits = 0
        self._abort_reason: AbortReason | None = None
        self._ordered: _Ordered | None = None
        self._bug: Exception | None = None

    @property
    def state(self) -> State:
        """Where the probe is in its life."""
        return self._lifecycle.state

    @property
    def up(self) -> bool:
        """Ready, and fewer misses in a row than the threshold."""
        return self._availability.up

    @property
    def heartbeats(self) -> Mapping[Mode, Heartbeats]:
        """The books of each mode."""
        return self._pulse.heartbeats

    async def run(self) -> None:
        """Connect, watch, reconnect, until `stop`. Raises only what is a bug of ours."""
        if self._lifecycle.state is State.IDLE:
            self._lifecycle.take(Signal.WAIT, self._loop.time())
        try:
            while self._ordered is None:
                delay = await self._connect_once()
                if self._bug is not None:
                    raise self._bug
                if self._ordered is None:
                    await asyncio.sleep(delay)
        finally:
            self._bug = None
            self._clear_up()

    def stop(self, code: int, reason: AbortReason) -> bool:
        """End the probe. If it is connected, say goodbye with `code`: `run` returns soon after.

        Returns whether it is; otherwise there is nothing to wait for and the task can be cancelled.
        """
        self._ordered = _Ordered(code, reason)
        if self._connection is None:
            return False
        self._end_connection(reason, code)
        return True

    def retire(self) -> None:
        """Book the end of a stopped probe; nothing of it happens any more."""
        now = self._loop.time()
        self._pulse.stop()
        self._lifecycle.take(Signal.STOP, now)
        self._availability.stop(now)
        self._sink(Stopped(now))

    def beat(self, due: float) -> None:
        """Do what is due at `due`, a slot of one of the probe's schedules."""
        try:
            self._pulse.beat(due)
        except Exception as error:  # noqa: BLE001 - a bug here must cost this probe alone
            self._broke(error)

    def measure_path(self) -> None:
        """Report the kernel's view of the path, if there is one."""
        info = self._connection.tcp_info() if self._connection is not None else None
        if info is not None:
            new = max(info.retransmits - self._retransmits, 0)
            self._retransmits = info.retransmits
            self._sink(PathMeasured(self._loop.time(), info.rtt, new))

    def message(self, data: bytes, *, text: bool, arrival: Arrival) -> None:
        """Take a message of the peer."""
        try:
            self._take(self._dialect.read(data, text=text), arrival)
        except Exception as error:  # noqa: BLE001 - a bug here must cost this probe alone
            self._broke(error)

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Take a pong of the peer."""
        try:
            self._pulse.pong(payload, arrival)
        except Exception as error:  # noqa: BLE001 - a bug here must cost this probe alone
            self._broke(error)

    def flooded(self) -> None:
        """End a connection that brings more than it may: it would cost the other probes."""
        self._end_connection(AbortReason.FLOODED, POLICY_VIOLATION, "too many messages in a second")

    def _take(self, meaning: Meaning, arrival: Arrival) -> None:
        if isinstance(meaning, Echo):
            self._pulse.echo(meaning.key, arrival)
        elif isinstance(meaning, Usable):
            if not self._usable.done():
                self._usable.set_result(None)
        elif isinstance(meaning, Remark):
            self._sink(Notice(arrival.at, meaning.name))

    def _broke(self, error: Exception) -> None:
        """Keep a bug for the task to die of, so that the probe is restarted alone."""
        self._bug = error
        self._give_up(AbortReason.CRASHED, "a bug in the monitor")

    # What follows from a heartbeat's outcome.

    def _follow(self, events: list[HeartbeatEvent]) -> None:
        for event in events:
            self._sink(event)
            if isinstance(event, Missed):
                self._judge(f"{event.consecutive} {event.mode} heartbeats missed in a row")
                if event.on_connection >= self.config.missed_threshold:
                    self._give_up(AbortReason.MISSED, "too many heartbeats missed in a row")
            elif isinstance(event, Echoed) and not self._availability.up:
                self._judge("echoed again")
            elif isinstance(event, Indistinct):
                self._end_connection(AbortReason.AMBIGUOUS, NORMAL_CLOSURE)

    def _judge(self, cause: str) -> None:
        """Work out whether the target is up, and say so when that changed."""
        up = self._lifecycle.state is State.READY and all(
            heartbeats.consecutive_missed < self.config.missed_threshold
            for heartbeats in self.heartbeats.values()
        )
        now = self._loop.time()
        # A connection that we end for good is no verdict on the target.
        if self._ordered is None and self._availability.update(up=up, now=now):
            self._sink(UpChanged(now, up, cause))

    def _give_up(self, reason: AbortReason, detail: str) -> None:
        """Drop a dead path at once."""
        if self._connection is not None and self._connection.usable:
            self._abort_reason = reason
            self._connection.give_up(detail)

    def _end_connection(self, reason: AbortReason, code: int, detail: str = "") -> None:
        """End a live path with a closing handshake."""
        if self._connection is not None and self._connection.usable:
            self._abort_reason = reason
            self._connection.begin_close(code, detail)

    # One connection, from dial to end.

    async def _connect_once(self) -> float:
        """Make one attempt and see it through; return the seconds to wait before the next."""
        try:
            dialled = await self._dial()
            await self._open(dialled)
        except DialError as error:
            return await self._dial_failed(error)
        return await self._watch(dialled)

    async def _dial(self) -> Dialled:
        seller = plans.ticket_seller(self.config)
        if seller is not None:
            await self._gate.ticket_turn(seller)
        async with self._gate.admit(retry=self._backoff.failures > 0):
            now = self._dialled_at = self._loop.time()
            self._attempts += 1
            self._lifecycle.take(Signal.DIAL, now)
            self._availability.begin(now)
            self._sink(Dialing(now, self._attempts))
            try:
                return await self._dialer.dial(self._plan(), self._traffic)
            except DialError as error:
                if seller is not None and error.reason is FailureReason.TICKET:
                    self._gate.close_seller(seller, error.retry_after)
                raise

    def _plan(self) -> DialPlan:
        try:
            return plans.make_dial_plan(self.config)
        except SecretUnavailable as error:
            raise DialError(FailureReason.LOCAL, Phase.DNS, str(error)) from None

    async def _open(self, dialled: Dialled) -> None:
        """Take over an open connection and have the dialect's opening conversation.

        Raises:
            DialError: the connection did not become usable.
        """
        now = self._opened_at = self._loop.time()
        self._lifecycle.take(Signal.OPENED, now)
        self._connection = connection = dialled.connection
        self._dialect = plans.make_dialect(self.config)
        self._usable = self._loop.create_future()
        self._abort_reason = None
        self._retransmits = 0
        self._sink(
            Opened(
                now,
                dialled.address,
                dialled.tls_version,
                connection.timestamping,
                dialled.subprotocol,
                dialled.certificate_not_after,
            )
        )
        connection.deliver_to(self)
        for frame in self._dialect.opening():
            connection.send(frame)
        if not self._dialect.usable_at_once:
            try:
                await self._until_usable(connection)
            except DialError as error:
                error.phases = dialled.phases
                raise
        if self._bug is not None:
            # It came when there was no connection to end for it.
            raise self._bug
        dialled.phases[Phase.READY] = self._loop.time() - now

    async def _until_usable(self, connection: Connection) -> None:
        seconds = self.config.timeouts.ready
        try:
            async with deadline(seconds):
                await asyncio.wait(
                    (self._usable, connection.ended), return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            self._give_up(AbortReason.NOT_READY, "not ready in time")
            raise timed_out(Phase.READY, seconds) from None
        if not self._usable.done():
            raise self._ended_too_soon(connection.ending())

    def _ended_too_soon(self, ending: Ending) -> DialError:
        detail = f"closed with {ending.code} before it was usable"
        return DialError(
            FailureReason.NOT_READY,
            Phase.READY,
            self._with_meaning(detail, ending),
            close_code=ending.code,
        )

    async def _watch(self, dialled: Dialled) -> float:
        """Beat until the connection ends; return the seconds to wait before the next attempt."""
        ready_at = self._loop.time()
        self._lifecycle.take(Signal.READY, ready_at)
        self._pulse.attach(dialled.connection, self._dialect)
        rows = {mode: beats.consecutive_missed for mode, beats in self.heartbeats.items()}
        self._sink(Ready(ready_at, ready_at - self._dialled_at, dialled.phases, rows))
        self._judge("ready")
        await asyncio.shield(dialled.connection.ended)
        now = self._loop.time()
        code = self._lost()
        delay = self._backoff.after_connection(self._chance(), ready_for=now - ready_at, code=code)
        self._tell_wait(delay, "disconnected")
        await self._tear_down()
        return max(now + delay - self._loop.time(), 0.0)

    async def _dial_failed(self, error: DialError) -> float:
        if self._connection is None:
            self._lifecycle.take(Signal.FAILED, self._loop.time())
        else:
            self._lost()
        # What we ended ourselves, by order or by a bug, is no failure of the target.
        if self._ordered is None and self._bug is None:
            self._tell_failure(error)
        delay = self._delay_after(error)
        self._tell_wait(delay, error.reason.value)
        await self._tear_down()
        return delay

    def _tell_failure(self, error: DialError) -> None:
        self._sink(
            DialFailed(
                self._loop.time(),
                error.reason,
                error.phase,
                error.detail,
                error.phases,
                error.certificate_not_after,
            )
        )

    def _delay_after(self, error: DialError) -> float:
        if error.close_code:
            return self._backoff.after_connection(
                self._chance(), ready_for=0.0, code=error.close_code
            )
        return self._backoff.after_failure(self._chance(), retry_after=error.retry_after)

    def _tell_wait(self, delay: float, cause: str) -> None:
        if self._ordered is None:
            self._sink(Waiting(self._loop.time(), delay, cause))

    def _lost(self) -> int:
        """Close the books of the connection that ended; return its close code."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - whoever calls has seen it
        now = self._loop.time()
        was_ready = self._lifecycle.state is State.READY
        self._pulse.detach()
        ending = connection.ending()
        self._lifecycle.take(Signal.LOST, now)
        self._sink(
            Disconnected(
                now,
                ending.initiator,
                ending.code,
                now - self._opened_at,
                was_ready,
                self._with_meaning(ending.detail, ending),
                self._abort_reason,
                planned=self._ordered is not None,
            )
        )
        self._judge("disconnected")
        return ending.code

    def _with_meaning(self, detail: str, ending: Ending) -> str:
        """Add what the dialect says of a peer's close code; ours mean what we say they mean."""
        theirs = ending.initiator is Initiator.REMOTE
        meaning = self._dialect.closed(ending.code) if theirs else ending.detail
        return f"{detail}: {meaning}" if meaning and meaning != detail else detail

    async def _tear_down(self) -> None:
        connection = self._connection
        if connection is not None:
            try:
                await connection.tear_down()
            finally:
                self._connection = None

    def _clear_up(self) -> None:
        """Leave nothing open when the task ends, for whatever reason."""
        if self._connection is not None:
            self._connection.give_up("the probe's task ended")
            if self._lifecycle.is_open:
                self._abort_reason = self._abort_reason or AbortReason.CRASHED
                self._lost()
            self._connection = None
        elif self._lifecycle.state is State.DIALING:
            self._lifecycle.take(Signal.FAILED, self._loop.time())
