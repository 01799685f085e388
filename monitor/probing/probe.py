"""One probe: one connection's life after another, for as long as the probe is configured.

The probe's task dials, waits and tidies up. Everything else happens where it arises: a beat when
it is due, a frame when it is parsed, a time-out when its timer fires (`pulse`). What comes of it
is handed to the sink as events, in order.

A connection is made beside the one in use when that one is to be renewed. Beats move over once the
new one is usable, and what is in flight on the old one settles there before it is closed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from monitor.config import ProbeConfig, SecretUnavailable
from monitor.core.availability import Availability
from monitor.core.backoff import Backoff
from monitor.core.events import (
    AbortReason,
    DialFailed,
    Dialing,
    Echoed,
    Event,
    HeartbeatEvent,
    Indistinct,
    Missed,
    Mode,
    Postponed,
    Ready,
    Renewed,
    Stopped,
    UpChanged,
    Waiting,
)
from monitor.core.failures import FailureReason, Phase
from monitor.core.heartbeats import Heartbeats
from monitor.core.lifecycle import Lifecycle, Signal, State
from monitor.core.traffic import Traffic
from monitor.net.dial import Dialer, DialPlan
from monitor.net.dial_errors import DialError
from monitor.probing import plans
from monitor.probing.alarms import Alarms
from monitor.probing.farewell import Farewell
from monitor.probing.gate import Gate
from monitor.probing.pulse import Pulse
from monitor.probing.session import Attempt, Session
from monitor.probing.wish import Wish

Sink = Callable[[Event], None]

NORMAL_CLOSURE = 1000

CONNECT = "connect"
CHANGED = "the config changed"
AGED = "max_connection_age"


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
        adopted: hears of each changed config when it begins to apply.
        chance: a random number in [0, 1) at each call; spreads reconnects.

    Attributes:
        config: what is wanted; a connection that is being replaced may still follow an older one.
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
        adopted: Callable[[ProbeConfig], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.config = self._in_force = config
        self._loop = asyncio.get_running_loop()
        self._dialer = dialer
        self._gate = gate
        self._sink = sink
        self._traffic = traffic
        self._availability = availability
        self._adopted = adopted
        self._chance = chance
        self._lifecycle = Lifecycle(self._loop.time())
        self._backoff = Backoff(plans.make_backoff_policy(config))
        self._renewals = Backoff(plans.make_backoff_policy(config))
        books = plans.make_heartbeats(config, self._loop.time())
        self._pulse = Pulse(books, self._follow, self.beat, alarms)
        self._wish = Wish()
        self._cause = CONNECT
        self._making: asyncio.Task[Session] | None = None
        self._session: Session | None = None
        self._next: Session | None = None
        self._former: Session | None = None
        self._settling: asyncio.Task[None] | None = None
        self._closing: dict[asyncio.Task[None], Session] = {}
        self._attempts = 0
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
    def has_dialled(self) -> bool:
        """Whether it has tried to connect."""
        return self._attempts > 0

    @property
    def heartbeats(self) -> Mapping[Mode, Heartbeats]:
        """The books of each mode."""
        return self._pulse.heartbeats

    async def run(self) -> None:
        """Connect, watch, renew, reconnect, until `stop`. Raises only what is a bug of ours."""
        if self._lifecycle.state is State.IDLE:
            self._lifecycle.take(Signal.WAIT, self._loop.time())
        try:
            self._wish.now(CONNECT)
            while self._ordered is None:
                await self._go_on()
            await self._all_closed()
        finally:
            self._bug = None
            await self._clear_up()

    def change(self, config: ProbeConfig) -> None:
        """Watch as another config says: from the next connection on, which is made at once."""
        self.config = config
        self._wish.now(CHANGED)

    def stop(self, code: int, reason: AbortReason) -> bool:
        """End the probe. If it is connected, say goodbye with `code`: `run` returns soon after.

        Returns whether it is; otherwise there is nothing to wait for and the task can be cancelled.
        """
        self._ordered = _Ordered(code, reason)
        self._wish.now(CONNECT)
        for session in self._sessions():
            session.close(reason, code)
        return bool(self._sessions())

    def retire(self) -> None:
        """Book the end of a stopped probe; nothing of it happens any more."""
        now = self._loop.time()
        self._pulse.stop()
        self._wish.cancel()
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
        measured = self._session.measure_path() if self._session is not None else None
        if measured is not None:
            self._sink(measured)

    def _sessions(self) -> list[Session]:
        """Return the connections that are open: seldom more than one."""
        return [one for one in (self._session, self._next, self._former) if one is not None]

    def _broke(self, error: Exception) -> None:
        """Keep a bug for the task to die of, so that the probe is restarted alone."""
        self._bug = error
        for session in self._sessions():
            session.give_up(AbortReason.CRASHED, "a bug in the monitor")

    # What follows from a heartbeat's outcome.

    def _follow(self, events: list[HeartbeatEvent]) -> None:
        for event in events:
            self._sink(event)
            consequence = self._CONSEQUENCES.get(type(event))
            if consequence is not None:
                consequence(self, event)

    def _missed(self, event: Missed) -> None:
        self._judge(f"{event.consecutive} {event.mode} heartbeats missed in a row")
        if event.on_connection >= self._in_force.missed_threshold and self._session is not None:
            self._session.give_up(AbortReason.MISSED, "too many heartbeats missed in a row")

    def _echoed(self, _: Echoed) -> None:
        if not self._availability.up:
            self._judge("echoed again")

    def _indistinct(self, _: Indistinct) -> None:
        if self._session is not None:
            self._session.close(AbortReason.AMBIGUOUS, NORMAL_CLOSURE)

    _CONSEQUENCES: ClassVar[Mapping[type[Any], Callable[[Any, Any], None]]] = {
        Missed: _missed,
        Echoed: _echoed,
        Indistinct: _indistinct,
    }

    def _judge(self, cause: str) -> None:
        """Work out whether the target is up, and say so when that changed."""
        up = self._lifecycle.in_use and all(
            heartbeats.consecutive_missed < self._in_force.missed_threshold
            for heartbeats in self.heartbeats.values()
        )
        now = self._loop.time()
        # A connection that we end for good is no verdict on the target.
        if self._ordered is None and self._availability.update(up=up, now=now):
            self._sink(UpChanged(now, up, cause))

    # What the task does: one thing after another.

    async def _go_on(self) -> None:
        """Wait until something is to be done, and do it."""
        ended = self._session.connection.ended if self._session is not None else None
        waits = [one for one in (self._wish.made, self._making, ended) if one is not None]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self._session is not None and not self._session.connection.usable:
            self._lost(self._session)
        if self._bug is not None:
            raise self._bug
        if self._making is not None and self._making.done():
            self._made(self._making)
        if self._wish.made.done() and self._ordered is None:
            await self._begin()

    async def _begin(self) -> None:
        """Begin an attempt; one that is under way is out of date."""
        cause = self._wish.take()
        await self._abandon()
        if self._session is None:
            self._adopt(self.config)
        elif cause == CHANGED and self.config == self._in_force:
            self._mind_age(self._session)
            return
        self._cause = cause
        self._making = asyncio.create_task(self._make(), name=f"connect {self.config.name}")

    async def _make(self) -> Session:
        """Make a connection that is usable.

        Raises:
            DialError: it cannot be made, or is not usable.
        """
        try:
            await self._settled()
            self._next = session = await self._dial(self.config)
            self._lifecycle.take(Signal.OPENED, session.opened_at)
            if self._session is None:
                session.hearer = self._pulse
                self._announce(session)
            await session.open()
        except BaseException as error:
            self._unmake(bug=not isinstance(error, DialError | asyncio.CancelledError))
            raise
        return session

    async def _settled(self) -> None:
        """Wait for what must be over before another connection is made.

        What is closed already frees its place at the peer; and beside the one in use there is one
        other connection at most.
        """
        waits = set(self._closing)
        if self._settling is not None and self._session is not None:
            waits.add(self._settling)
        if waits:
            await asyncio.wait(waits)

    async def _dial(self, config: ProbeConfig) -> Session:
        seller = plans.ticket_seller(config)
        async with AsyncExitStack() as turn:
            if self._session is not None:
                await turn.enter_async_context(self._gate.without_hurry(seller))
            if seller is not None:
                await self._gate.ticket_turn(seller)
            await turn.enter_async_context(self._gate.admit(retry=self._backoff.failures > 0))
            now = self._loop.time()
            attempt = Attempt(config, plans.make_dialect(config), now)
            self._attempts += 1
            self._lifecycle.take(Signal.DIAL, now)
            self._availability.begin(now)
            self._sink(Dialing(now, self._attempts))
            try:
                dialled = await self._dialer.dial(_plan(config), self._traffic)
            except DialError as error:
                if seller is not None and error.reason is FailureReason.TICKET:
                    self._gate.close_seller(seller, error.retry_after)
                raise
            return Session(attempt, dialled, notice=self._sink, broke=self._broke)

    def _unmake(self, *, bug: bool = False) -> None:
        """Tidy up after an attempt that came to nothing."""
        session, self._next = self._next, None
        if self._lifecycle.under_way:
            self._lifecycle.take(Signal.FAILED, self._loop.time())
        if session is None:
            return
        if bug:
            session.give_up(AbortReason.CRASHED, "a bug in the monitor")
        order = self._ordered or _Ordered(NORMAL_CLOSURE, AbortReason.RENEWED)
        session.close(order.reason, order.code)
        self._end(session, was_ready=False, spare=self._session is not None)

    async def _abandon(self) -> None:
        """Let go of the attempt that is under way, if there is one."""
        making = self._making
        if making is None:
            return
        making.cancel()
        await asyncio.wait((making,))
        self._making = None
        if not making.cancelled():
            # Whatever it is, it is out of date.
            making.exception()
        if self._next is not None:
            # It was made in the meantime.
            self._unmake()

    def _made(self, making: asyncio.Task[Session]) -> None:
        """See what came of an attempt."""
        self._making = None
        if making.cancelled():
            return
        try:
            session = making.result()
            if self._session is not None and not session.connection.usable:
                self._unmake()
                raise session.ended_too_soon()
        except DialError as error:
            self._failed(error)
        else:
            self._next = None
            self._move_to(session)

    def _failed(self, error: DialError) -> None:
        # What we ended ourselves, by order or by a bug, is no failure of the target.
        if self._ordered is not None:
            return
        now = self._loop.time()
        self._sink(
            DialFailed(
                now,
                error.reason,
                error.phase,
                error.detail,
                error.phases,
                error.certificate_not_after,
            )
        )
        if self._session is not None:
            delay = self._renewals.after_failure(self._chance(), retry_after=error.retry_after)
            self._sink(Postponed(now, delay, self._cause))
            self._wish.later(delay, self._cause)
        else:
            self._wait(self._delay_after(error), error.reason.value)

    def _delay_after(self, error: DialError) -> float:
        if error.close_code:
            return self._backoff.after_connection(
                self._chance(), ready_for=0.0, code=error.close_code
            )
        return self._backoff.after_failure(self._chance(), retry_after=error.retry_after)

    def _wait(self, delay: float, cause: str) -> None:
        """Connect again after so many seconds."""
        if self._ordered is None:
            self._sink(Waiting(self._loop.time(), delay, cause))
            self._wish.later(delay, CONNECT)

    # One connection after another.

    def _move_to(self, session: Session) -> None:
        """Beat on a connection that has become usable; what the one before it has settles."""
        former, self._session = self._session, session
        now = session.ready_at = self._loop.time()
        self._lifecycle.take(Signal.READY, now)
        if former is not None:
            self._say_goodbye(former, [Mode(mode) for mode in session.attempt.config.modes])
        self._adopt(session.attempt.config)
        self._announce(session)
        session.hearer = self._pulse
        self._pulse.attach(session.connection, session.attempt.dialect)
        self._tell_ready(session, renewed=former is not None)
        self._renewals = Backoff(plans.make_backoff_policy(session.attempt.config))
        if not self._wish.made.done():
            self._mind_age(session)

    def _tell_ready(self, session: Session, *, renewed: bool) -> None:
        now = session.ready_at
        seconds = now - session.attempt.began
        rows = {mode: beats.consecutive_missed for mode, beats in self.heartbeats.items()}
        if renewed:
            self._sink(Renewed(now, self._cause, seconds, session.phases, rows))
            self._judge("renewed")
        else:
            self._sink(Ready(now, seconds, session.phases, rows))
            self._judge("ready")

    def _mind_age(self, session: Session) -> None:
        """Renew a connection when it has grown old."""
        age = plans.renewal_age(session.attempt.config)
        if age is not None:
            left = session.opened_at + age - self._loop.time()
            self._wish.later(max(left, 0.0), AGED)

    def _adopt(self, config: ProbeConfig) -> None:
        """Let a config apply from now on."""
        if config == self._in_force:
            return
        self._in_force = config
        self._backoff = Backoff(plans.make_backoff_policy(config))
        self._pulse.change(config)
        self._adopted(config)

    def _announce(self, session: Session) -> None:
        """Tell that the connection is open, unless that was told."""
        if session.announcement is not None:
            self._sink(session.announcement)
            session.announcement = None

    def _lost(self, session: Session) -> None:
        """See to another connection: the one in use has ended."""
        under_way = self._lifecycle.under_way
        self._drop(session)
        now = self._loop.time()
        delay = self._backoff.after_connection(
            self._chance(),
            ready_for=now - session.ready_at,
            code=session.connection.ending().code,
        )
        if not under_way:
            if self._making is not None:
                # It queues among those that are in no hurry.
                self._making.cancel()
            self._wait(delay, "disconnected")
        elif self._ordered is None:
            self._sink(Waiting(now, 0.0, "disconnected"))
            if self._next is not None:
                self._announce(self._next)

    def _drop(self, session: Session) -> None:
        """Close the books of the connection in use, which has ended."""
        self._session = None
        self._pulse.detach()
        self._lifecycle.take(Signal.LOST, self._loop.time())
        self._end(session, was_ready=True, spare=False)

    def _say_goodbye(self, session: Session, modes: list[Mode]) -> None:
        """Let what is in flight on a connection settle, then close it."""
        farewell = self._pulse.part(modes)
        session.hearer = farewell
        if farewell is not None:
            self._former = session
            self._settling = asyncio.create_task(self._settle(session, farewell))

    async def _settle(self, session: Session, farewell: Farewell) -> None:
        await asyncio.wait(
            (farewell.settled, session.connection.ended), return_when=asyncio.FIRST_COMPLETED
        )
        session.close(AbortReason.RENEWED, NORMAL_CLOSURE)
        farewell.end()
        self._former = self._settling = None
        self._end(session, was_ready=True, spare=True)

    def _end(self, session: Session, *, was_ready: bool, spare: bool) -> None:
        """Tell the end of a connection, and see its transport gone in due time."""
        session.hearer = None
        planned = self._ordered is not None or session.abort_reason is AbortReason.RENEWED
        self._sink(session.farewell(was_ready=was_ready, planned=planned, spare=spare))
        if not spare:
            self._judge("disconnected")
        closing = asyncio.create_task(session.connection.tear_down())
        self._closing[closing] = session
        closing.add_done_callback(self._closing.pop)

    async def _all_closed(self) -> None:
        """See every connection gone, in good order."""
        await self._abandon()
        if self._settling is not None:
            await asyncio.wait((self._settling,))
        if self._closing:
            await asyncio.wait(self._closing)

    async def _clear_up(self) -> None:
        """Leave nothing open when the task ends, for whatever reason."""
        for session in self._sessions():
            session.give_up(AbortReason.CRASHED, "the probe's task ended")
        if self._session is not None:
            self._drop(self._session)
        self._wish.cancel()
        for session in self._closing.values():
            session.connection.transport.abort()
        await self._all_closed()


def _plan(config: ProbeConfig) -> DialPlan:
    try:
        return plans.make_dial_plan(config)
    except SecretUnavailable as error:
        raise DialError(FailureReason.LOCAL, Phase.DNS, str(error)) from None
