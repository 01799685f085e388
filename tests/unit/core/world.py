"""A shell, simulated: it drives the core against a simulated peer and checks every word it says.

After each step the books must balance, nothing may be settled twice or kept for ever, and every
RTT that is reported must be the time between the sending of a heartbeat and the arrival of an echo
that really answers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

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
    Unsolicited,
)
from monitor.core.heartbeats import Heartbeats, Order
from monitor.core.matching import Matching
from monitor.core.numbered import LATE_MEMORY, Numbered
from monitor.core.schedule import Schedule
from monitor.core.settling import Settling
from monitor.core.unnumbered import BURST_LIMIT, BURST_MEMORY, Unnumbered
from tests.unit.core.peer import Beat, Echo, Peer


class Core:
    """The books of one mode, and what settles on the connections that beats have moved from."""

    def __init__(self, heartbeats: Heartbeats) -> None:
        self.heartbeats = heartbeats
        self.settlings: list[Settling] = []

    def part(self) -> None:
        """Let beats move to another connection."""
        self.settlings.append(Settling(self.heartbeats, self.heartbeats.part()))

    def change(
        self, schedule: Schedule, timeout: float, new_matching: Callable[[], Matching], now: float
    ) -> list[HeartbeatEvent]:
        """Beat by another config."""
        return self.heartbeats.change(schedule, timeout, new_matching(), now)

    def find(self, former: int | None, name: str) -> Callable[..., Any]:
        """Return a method, of one of the former connections or of the books."""
        if former is not None:
            return cast("Callable[..., Any]", getattr(self.settlings[former], name))
        own = {"part": self.part, "change": self.change}
        return own.get(name) or getattr(self.heartbeats, name)


@dataclass(frozen=True)
class Call:
    """One call of the core, which can be made again on another one.

    `former` is the number of the former connection that it was about, if it was; `alone` says that
    there was no such connection.
    """

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    former: int | None = None
    alone: bool = True

    def make(self, core: Core) -> tuple[list[HeartbeatEvent], Order | None]:
        """Make the call; return what the core said and what it wants sent."""
        match core.find(self.former, self.name)(*self.arguments, **self.options):
            case list() as events:
                return events, None
            case (events, order):
                return events, order
            case None:
                return [], None
            case event:
                return [event], None


@dataclass
class Former:
    """A connection that beats have moved from: its number, its peer, and what is in flight there.

    `last` is the key of the last beat that was sent on it.
    """

    number: int
    settling: Settling
    peer: Peer
    flying: list[Beat]
    last: int


class World:
    """One `Heartbeats`, the shell that drives it, and the peer.

    Args:
        numbered: whether echoes carry an id.
        interval: in seconds, as all times are.
        timeout: until when an echo is in time.
        phase: of the schedule.
        lag: the time that the shell takes from being told to send to the system call; what comes
            in between is read after it.
        redials: whether the shell connects anew when echoes are indistinct.
        redial_after: how long that takes.
        reads_first: whether an echo that arrives just when a poll is due is read before it.
        nosy: whether the shell polls also when nothing is due.
        forgiving: whether an untrue word is counted in `untrue` instead of failing the test.
    """

    def __init__(
        self,
        *,
        numbered: bool,
        interval: float = 1.0,
        timeout: float = 0.9,
        phase: float = 0.0,
        lag: float = 0.0,
        redials: bool = True,
        redial_after: float = 0.0,
        reads_first: bool = True,
        nosy: bool = False,
        forgiving: bool = False,
    ) -> None:
        self.interval = interval
        self.timeout = timeout
        self.schedule = Schedule(interval, phase)
        self.now = 100.0 * interval
        self.lag = lag
        self.redials = redials
        self.redial_after = redial_after
        self.reads_first = reads_first
        self.nosy = nosy
        self.forgiving = forgiving
        self.numbered = numbered
        self.matching = self.new_matching()
        self.whole = Core(self.new_core(self.matching))
        self.core = self.whole.heartbeats
        self.peer = Peer(delay=interval / 100)
        self.is_open = False
        self.beats: list[Beat] = []
        self.flying: list[Beat] = []
        self.formers: list[Former] = []
        self.calls: list[tuple[Call, list[HeartbeatEvent]]] = []
        self.seen: Counter[type[HeartbeatEvent]] = Counter()
        self.rtts: list[float] = []
        self.late_rtts: list[float] = []
        self.untrue = 0
        self._in_doubt = False

    def new_matching(self) -> Matching:
        """A matching of this world's kind."""
        return Numbered() if self.numbered else Unnumbered(self.interval)

    def new_core(self, matching: Matching) -> Heartbeats:
        """A core as this world's was in the beginning."""
        start = 100.0 * self.interval
        return Heartbeats(Mode.MESSAGE, self.schedule, self.timeout, matching, start)

    # What can happen.

    def open(self) -> None:
        """Connect."""
        self.poll()
        self._call("opened", proven=False)
        self.is_open = True

    def lose(self) -> None:
        """Disconnect: what is in flight is aborted, unless it was missed before."""
        self._call("lost", self.now)
        self.peer.hang_up()
        self.is_open = False
        self._in_doubt = False
        self.check_books()

    def renew(self, *, changed: bool = False) -> None:
        """Move beats to a new connection; `changed` forgets what was learnt of the peer."""
        self.poll()
        self._call("part")
        last = self.beats[-1].key if self.beats else -1
        settling = self.whole.settlings[-1]
        number = len(self.whole.settlings) - 1
        former = Former(number, settling, self.peer.move(), self.flying, last)
        self.flying = []
        self._in_doubt = False
        if changed:
            self._call("change", self.schedule, self.timeout, self.new_matching, self.now)
        self.matching = self.core._matching
        self._call("catch_up", self.now)
        self._call("opened", proven=False)
        self.formers.append(former)
        self._close_the_settled()
        self.check_books()

    def drop_former(self) -> None:
        """Lose a former connection before all is settled there."""
        former = self.formers.pop(0)
        self._call("lost", self.now, former=former)
        assert not former.flying
        self.check_books()

    def run(self, seconds: float) -> None:
        """Let time pass, with a shell that is prompt."""
        end = self.now + seconds
        while (when := self._next_event()) < end:
            if self.nosy:
                self._poll_for_nothing((self.now + when) / 2)
            self.now = max(self.now, when)
            if self.reads_first or self.core.next_timer > self.now:
                self._read()
            if self.core.next_timer <= self.now:
                self.poll()
            self._expire_formers()
        self.now = end

    def stall(self, seconds: float, *, exact: bool) -> None:
        """Let time pass while the shell is stopped; then it reads all, and then it polls.

        Where arrivals are not `exact`, all that came in one read share the last one's time.
        """
        began = self.now
        self.now += seconds
        for former in (*self.formers, None):
            echoes = list(self._waiting_echoes(former.peer if former else self.peer))
            for echo in echoes:
                if not exact and echo is not echoes[-1]:
                    echo.earliest = began
                self._receive(echo, echo.arrived if exact else echoes[-1].arrived, former)
        self._expire_formers()
        self.poll()

    def _waiting_echoes(self, peer: Peer) -> Iterator[Echo]:
        while peer.next_arrival() <= self.now:
            yield peer.answer()

    def poll(self) -> None:
        """Poll the core and do what it says. Then there is nothing left to do at this time."""
        order = self._call("poll", self.now)
        if order is not None:
            self._carry_out(order)
        assert self.core.next_timer > self.now
        self._poll_for_nothing(self.now)
        self.check_books()
        if self._in_doubt and self.redials:
            self.lose()
            self.run(self.redial_after)
            self.open()

    def _next_event(self) -> float:
        peers = [self.peer, *(former.peer for former in self.formers)]
        arrivals = [peer.next_arrival() for peer in peers]
        deadlines = [former.settling.next_deadline() for former in self.formers]
        return min(self.core.next_timer, *arrivals, *deadlines)

    def _poll_for_nothing(self, now: float) -> None:
        if now < self.core.next_timer:
            assert self._call("poll", now) is None
            assert not self.calls[-1][1]

    # What the shell does.

    def _call(
        self,
        name: str,
        *arguments: object,
        echo: Echo | None = None,
        former: Former | None = None,
        **options: object,
    ) -> Order | None:
        number = None if former is None else former.number
        call = Call(name, arguments, options, number, alone=not self.formers)
        events, order = call.make(self.whole)
        self.calls.append((call, events))
        for event in events:
            self._check(event, echo, self.flying if former is None else former.flying)
        return order

    def _carry_out(self, order: Order) -> None:
        assert self.is_open
        key, copies, _ = order
        assert 1 <= copies <= BURST_LIMIT
        assert not (self.matching.exclusive and self.flying)
        at = self.now + self.lag
        beat = Beat(key, at, at + self.timeout)
        self.beats.append(beat)
        self.flying.append(beat)
        self._call("sent", order, at)
        self.peer.take(beat, copies)

    def _read(self) -> None:
        for former in (*self.formers, None):
            for echo in self._waiting_echoes(former.peer if former else self.peer):
                self._receive(echo, echo.arrived, former)
        self._close_the_settled()

    def _expire_formers(self) -> None:
        for former in self.formers:
            if former.settling.next_deadline() <= self.now:
                self._call("expire", self.now, former=former)
        self._close_the_settled()

    def _close_the_settled(self) -> None:
        self.formers = [former for former in self.formers if not former.settling.settled]
        self.check_books()

    def _receive(self, echo: Echo, arrived: float, former: Former | None) -> None:
        echo.delivered = True
        key = echo.beat.key if self.numbered else None
        self._call("received", key, arrived, echo.earliest, echo=echo, former=former)
        if self.numbered:
            last = self.beats[-1].key if former is None else former.last
            assert type(self.calls[-1][1][-1]) is self._expected_of(echo, last)
        self.check_books()

    def _expected_of(self, echo: Echo, last: int) -> type[HeartbeatEvent]:
        """What an echo with an id must be told to be: there is never a doubt."""
        if len(echo.beat.delivered) > 1:
            return Unsolicited
        if echo.earliest < echo.beat.deadline:
            return Echoed
        return Late if last - echo.beat.key < LATE_MEMORY else Unsolicited

    # What must be true.

    def _check(self, event: HeartbeatEvent, echo: Echo | None, flying: list[Beat]) -> None:
        self.seen[type(event)] += event.count if isinstance(event, Skipped) else 1
        match event:
            case Missed():
                assert event.at <= self.now
                assert flying.pop(0).deadline == event.at
            case Aborted():
                assert event.count == len(flying)
                flying.clear()
            case Echoed():
                self._check_echoed(event, echo, flying)
            case Late():
                self._check_rtt(event, self.late_rtts)
            case Indistinct():
                self._in_doubt = True

    def _check_echoed(self, event: Echoed, echo: Echo | None, flying: list[Beat]) -> None:
        assert echo is not None
        beat = echo.beat if self.numbered else flying[-1]
        if not beat.answered_in_time:
            self._deny("a heartbeat is said to be echoed that was not")
        flying.remove(beat)
        beat.echoed = True
        self._check_rtt(event, self.rtts)

    def _check_rtt(self, event: Echoed | Late, rtts: list[float]) -> None:
        if event.rtt is None:
            return
        answered = [
            beat
            for beat in self.beats
            for echo in beat.delivered
            if (echo.arrived, echo.arrived - beat.sent) == (event.at, event.rtt)
        ]
        if not answered:
            self._deny(f"nothing sent {event.rtt} s before was answered at {event.at}")
            return
        assert not answered[0].rtt_reported
        answered[0].rtt_reported = True
        rtts.append(event.rtt)

    def _deny(self, why: str) -> None:
        self.untrue += 1
        assert self.forgiving, why

    def check_books(self) -> None:
        """Every heartbeat is accounted for exactly once, and nothing is kept for ever."""
        books = self.core.books
        assert books.balanced
        assert 0 <= books.waiting <= 1
        assert self.matching.in_flight == len(self.flying)
        assert books.in_flight == sum(len(one.flying) for one in (self, *self.formers))
        counted = {
            Sent: books.sent,
            Echoed: books.echoed,
            Missed: books.missed,
            Late: books.late,
            Unsolicited: books.unsolicited,
            Skipped: books.skipped.total(),
        }
        assert counted == {kind: self.seen[kind] for kind in counted}
        if isinstance(self.matching, Unnumbered):
            bursts = self.matching._bursts
            assert len(bursts) <= BURST_MEMORY
            assert len(self.matching._echoes) <= sum(burst.copies for burst in bursts)
        elif isinstance(self.matching, Numbered):
            assert len(self.matching._missed) <= LATE_MEMORY
            assert len(self.matching._sent) <= self.timeout / self.interval + 2

    def check_that_polls_do_not_matter(self) -> None:
        """Say all again to a core that is not polled only to hear that something timed out."""
        self.poll()
        core = Core(self.new_core(self.new_matching()))
        said: list[HeartbeatEvent] = []
        for (call, events), (following, _) in pairwise([*self.calls, (Call("", ()), [])]):
            settles = all(isinstance(event, Missed) for event in events)
            # With two connections, polling in time is what keeps their outcomes in order.
            needed = following.name in {"sent", "part"} or not call.alone
            if call.name != "poll" or needed or not settles:
                said += call.make(core)[0]
        said += core.heartbeats.poll(self.now)[0]
        assert said == [event for _, events in self.calls for event in events]
