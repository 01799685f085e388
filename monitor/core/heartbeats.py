"""The books of one probe and mode: every heartbeat that falls due is accounted for exactly once.

    due = sent + skipped + waiting        sent = echoed + missed + aborted + in flight

`waiting` is at most one beat, held for a moment because the one before it is about to settle. The
books hold at every instant and live as long as the probe, across connections. Outcomes follow
the times that are passed in, not how often anybody asks: a heartbeat is missed because its
deadline passed, and an echo counts by when it arrived, not by when it was read. The caller owes
one thing: before it passes a `now`, it has passed on every echo that arrived before it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from monitor.core.events import (
    Aborted,
    Echoed,
    HeartbeatEvent,
    Indistinct,
    Late,
    Missed,
    Mode,
    Sent,
    Skipped,
    SkipReason,
    Unsolicited,
)
from monitor.core.matching import ECHOED, LATE, UNSOLICITED, Found, Matching
from monitor.core.schedule import Schedule

NEVER = math.inf

LONGEST_SLACK = 1.0
"""A beat that is later than this, in seconds, is skipped, however long the interval."""


@dataclass(slots=True)
class Books:
    """What became of every heartbeat so far."""

    due: int = 0
    waiting: int = 0
    sent: int = 0
    echoed: int = 0
    missed: int = 0
    aborted: int = 0
    in_flight: int = 0
    late: int = 0
    unsolicited: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost and nothing counted twice."""
        settled = self.echoed + self.missed + self.aborted
        return (
            self.due == self.sent + self.skipped.total() + self.waiting
            and self.sent == settled + self.in_flight
        )


@dataclass(slots=True)
class Heard:
    """What one connection has brought: misses since its last echo, and whether there was one."""

    missed: int = 0
    echoed: bool = False

    @property
    def anything(self) -> bool:
        """Whether it says anything about the peer."""
        return self.echoed or self.missed > 0


Order = tuple[int, int, float]
"""Send a heartbeat now, then tell `sent`: its key, how many identical frames, when it was due.

The frames go out back to back. A class of its own would take ten times as long to make as this.
"""


class Heartbeats:
    """Decides which heartbeats to send and what became of each.

    Args:
        mode: the label of every event.
        schedule: when beats are due.
        timeout: seconds within which an echo is in time; at most the interval where echoes
            carry no id.
        matching: how echoes find their heartbeats.
        start: the first beat is the first slot at or after this time.

    Attributes:
        next_due: when the next beat falls due.
        waiting: when the beat was due that is held until the one before it is settled, if any.
    """

    def __init__(
        self, mode: Mode, schedule: Schedule, timeout: float, matching: Matching, start: float
    ) -> None:
        self.mode = mode
        self.books = Books()
        self.consecutive_missed = 0
        self._schedule = schedule
        self._timeout = timeout
        self._matching = matching
        self._slack = min(schedule.interval / 2, LONGEST_SLACK)
        self._slot = schedule.slot_at_or_after(start)
        self.next_due = schedule.due(self._slot)
        self.waiting: float | None = None
        self._deadline = NEVER
        self._open = False
        self._here = Heard()
        self._before = Heard()
        self._key = 0

    def next_deadline(self) -> float:
        """When `poll` must be called although no beat is due: a time-out, or a beat that waits."""
        if self.waiting is None:
            return self._deadline
        # It can be sent, or has waited too long.
        waits_until = self.waiting + self._slack if self._must_wait() else self.waiting
        return min(self._deadline, waits_until)

    @property
    def next_timer(self) -> float:
        """When `poll` must be called next."""
        return min(self.next_due, self.next_deadline())

    def opened(self, *, proven: bool) -> None:
        """Begin to send: the connection is usable.

        Poll before: what fell due while there was no connection is not this one's affair.

        `proven` says that getting there took an answer from the application, which ends a row of
        misses; an accepted upgrade alone does not. Nor does the answer of a peer that gave one to
        the connection before, too, and then echoed nothing.
        """
        self._open = True
        if proven and self._before.echoed:
            self.consecutive_missed = 0

    def lost(self, now: float) -> list[HeartbeatEvent]:
        """Stop sending: the connection ended. What was in flight is aborted."""
        events = self._expire(now) if self._deadline <= now else []
        events += self._take_due(now)
        self._open = False
        self._leave()
        if self.waiting is not None:
            events += self._skip(self._drop_waiting(), SkipReason.NOT_CONNECTED)
        self._deadline = NEVER
        return events + self.book_aborted(self._matching.lost(), now)

    def catch_up(self, now: float) -> list[HeartbeatEvent]:
        """Book what fell due, and settle nothing: what is in flight may have been answered."""
        return self._take_due(now)

    def part(self) -> Matching:
        """Match from now on for another connection to the same peer; return what matched so far.

        What is in flight stays in these books, and is settled by whoever has what is returned:
        see `monitor.core.settling`.
        """
        former, self._matching = self._matching, self._matching.again()
        self._deadline = NEVER
        self._leave()
        return former

    def change(
        self, schedule: Schedule, timeout: float, matching: Matching, now: float
    ) -> list[HeartbeatEvent]:
        """Beat as another config says. Nothing may be in flight: `part` or `lost` came before."""
        events = self._take_due(now)
        self._timeout = timeout
        self._matching = matching
        if schedule != self._schedule:
            self._schedule = schedule
            self._slack = min(schedule.interval / 2, LONGEST_SLACK)
            self._slot = schedule.slot_after(now)
            self.next_due = schedule.due(self._slot)
        return events

    def poll(self, now: float) -> tuple[list[HeartbeatEvent], Order | None]:
        """Settle what has timed out, book what fell due, and say what to send, if anything."""
        events = self._expire(now) if self._deadline <= now else []
        events += self._take_due(now)
        if self.waiting is None or self._must_wait():
            return events, None
        copies = self._matching.copies(now)
        if copies == 0:
            events += self._skip(self._drop_waiting(), SkipReason.AMBIGUOUS)
            if self._matching.lost_track:
                events.append(Indistinct(self.mode, now))
            return events, None
        order = (self._key, copies, self.waiting)
        self._key += 1
        self.waiting = None
        return events, order

    def sent(self, order: Order, at: float) -> Sent:
        """Book an order as carried out: it was on its way from `at` on."""
        key, copies, due = order
        deadline = at + self._timeout
        self._matching.sent(key, copies, at, deadline)
        if self._deadline == NEVER:
            # Otherwise an older one comes first.
            self._deadline = deadline
        books = self.books
        books.waiting -= 1
        books.sent += 1
        books.in_flight += 1
        return Sent(self.mode, at, max(at - due, 0.0))

    def unsent(self) -> Skipped:
        """Book an order that could not be carried out: the connection is going away."""
        self.books.waiting -= 1
        self.books.skipped[SkipReason.NOT_CONNECTED] += 1
        return Skipped(self.mode, 1, SkipReason.NOT_CONNECTED)

    def received(
        self, key: int | None, arrived: float, earliest: float | None = None
    ) -> list[HeartbeatEvent]:
        """Account for one echo.

        Args:
            key: the id that it carries, None where the dialect has none.
            arrived: when its bytes reached the kernel, or the latest moment at which they can
                have.
            earliest: the earliest such moment, where it is not known exactly. The doubt is ours,
                so it is in the peer's favour.
        """
        earliest = arrived if earliest is None else earliest
        events = self._expire(earliest) if self._deadline <= earliest else []
        proven = self._matching.received(key, arrived, earliest)
        self._deadline = self._matching.next_deadline()
        for found in proven:
            if found[0] is ECHOED:
                self._here.missed = 0
                self._here.echoed = True
            events.append(self._book(found))
        return events

    def book_found(self, proven: list[Found]) -> list[HeartbeatEvent]:
        """Book what an echo proves."""
        return list(map(self._book, proven))

    def book_missed(
        self, count: int, deadline: float, *, here: bool = False
    ) -> list[HeartbeatEvent]:
        """Book heartbeats that reached their deadline, `here` on the connection in use."""
        events: list[HeartbeatEvent] = []
        self.books.missed += count
        self.books.in_flight -= count
        for _ in range(count):
            self.consecutive_missed += 1
            self._here.missed += here
            on_connection = self._here.missed if here else 0
            events.append(Missed(self.mode, deadline, self.consecutive_missed, on_connection))
        return events

    def book_aborted(self, count: int, now: float) -> list[HeartbeatEvent]:
        """Book heartbeats whose connection ended before they were settled."""
        if not count:
            return []
        self.books.aborted += count
        self.books.in_flight -= count
        return [Aborted(self.mode, now, count)]

    def _leave(self) -> None:
        """Remember of a connection what the next one's greeting is worth."""
        if self._here.anything:
            self._before = self._here
        self._here = Heard()

    def _must_wait(self) -> bool:
        """Whether the heartbeat in flight forbids another one."""
        return self._matching.exclusive and self._matching.in_flight > 0

    def _expire(self, now: float) -> list[HeartbeatEvent]:
        """Settle what has reached its deadline: something has."""
        events: list[HeartbeatEvent] = []
        while True:
            deadline = self._deadline
            missed = self._matching.expire(deadline)
            events += self.book_missed(missed, deadline, here=True)
            self._deadline = self._matching.next_deadline()
            if self._deadline > now:
                return events

    def _take_due(self, now: float) -> list[HeartbeatEvent]:
        """Book every slot that fell due; the newest, while it is not too late, waits to be sent."""
        newest, passed = self.waiting, 0
        if newest is not None:
            passed = self._drop_waiting()
        if self.next_due <= now:
            before, newest = self._slot, self._pass_slots(now)
            fell_due = self._slot - before
            self.books.due += fell_due
            passed += fell_due
        if newest is not None and self._open and now < newest + self._slack:
            self.waiting = newest
            self.books.waiting = 1
            passed -= 1
        if passed == 0:
            return []
        return self._skip(passed, SkipReason.OVERRUN if self._open else SkipReason.NOT_CONNECTED)

    def _pass_slots(self, now: float) -> float:
        """Go on to the first slot that is still to come; return when the one before it was due."""
        due = self.next_due
        self._slot += 1
        self.next_due = self._schedule.due(self._slot)
        if self.next_due <= now:
            # We come late, maybe by many slots.
            self._slot = self._schedule.slot_after(now)
            due = self._schedule.due(self._slot - 1)
            self.next_due = self._schedule.due(self._slot)
        return due

    def _drop_waiting(self) -> int:
        """Let the beat that waits wait no longer; return how many that is: one."""
        self.books.waiting = 0
        self.waiting = None
        return 1

    def _skip(self, count: int, reason: SkipReason) -> list[HeartbeatEvent]:
        self.books.skipped[reason] += count
        return [Skipped(self.mode, count, reason)]

    def _book(self, found: Found) -> HeartbeatEvent:
        outcome, arrived, rtt = found
        if outcome is UNSOLICITED:
            self.books.unsolicited += 1
            return Unsolicited(self.mode, arrived)
        if outcome is LATE:
            self.books.late += 1
            return Late(self.mode, arrived, rtt)
        books = self.books
        books.echoed += 1
        books.in_flight -= 1
        self.consecutive_missed = 0
        return Echoed(self.mode, arrived, rtt)
