"""Beats move to another connection: what is in flight on the former one settles there."""

import pytest

from monitor.core.events import (
    Aborted,
    Echoed,
    HeartbeatEvent,
    Late,
    Missed,
    Mode,
    Skipped,
    SkipReason,
    Unsolicited,
)
from monitor.core.heartbeats import NEVER, Heartbeats
from monitor.core.matching import Matching
from monitor.core.numbered import Numbered
from monitor.core.schedule import Schedule
from monitor.core.settling import Settling
from monitor.core.unnumbered import Unnumbered

MODE = Mode.MESSAGE
TEN_SECONDS = Schedule(interval=10.0, phase=0.0)


def beating(matching: Matching, timeout: float = 8.0) -> Heartbeats:
    """Heartbeats of which one was sent at 10."""
    heartbeats = Heartbeats(MODE, TEN_SECONDS, timeout, matching, start=5.0)
    heartbeats.opened(proven=False)
    beat(heartbeats, 10.0)
    return heartbeats


def beat(heartbeats: Heartbeats, now: float) -> list[HeartbeatEvent]:
    """Send what is due; return what was told besides."""
    events, order = heartbeats.poll(now)
    assert order is not None
    heartbeats.sent(order, now)
    return events


def move(heartbeats: Heartbeats, now: float) -> Settling:
    """Move to another connection."""
    settling = Settling(heartbeats, heartbeats.part())
    assert heartbeats.catch_up(now) == []
    heartbeats.opened(proven=False)
    return settling


class TestInFlight:
    """On the former connection."""

    @pytest.mark.parametrize("matching", [Numbered(), Unnumbered(10.0)], ids=["id", "no id"])
    def test_an_echo_settles_it_there(self, matching: Matching) -> None:
        heartbeats = beating(matching)
        settling = move(heartbeats, 11.0)
        assert not settling.settled
        assert heartbeats.books.in_flight == 1
        key = 0 if isinstance(matching, Numbered) else None
        assert settling.received(key, 12.0, 12.0) == [Echoed(MODE, 12.0, 2.0)]
        assert settling.settled
        assert (heartbeats.books.echoed, heartbeats.books.in_flight) == (1, 0)
        assert heartbeats.books.balanced

    def test_a_deadline_settles_it_there_and_is_no_fault_of_the_new_one(self) -> None:
        heartbeats = beating(Numbered())
        settling = move(heartbeats, 11.0)
        assert settling.next_deadline() == 18.0
        assert settling.expire(17.999) == []
        assert settling.expire(18.0) == [Missed(MODE, 18.0, consecutive=1, on_connection=0)]
        assert settling.settled
        assert settling.next_deadline() == NEVER
        beat(heartbeats, 20.0)
        assert heartbeats.poll(28.0) == (
            [Missed(MODE, 28.0, consecutive=2, on_connection=1)],
            None,
        )
        assert heartbeats.books.balanced

    def test_the_end_of_the_connection_aborts_it(self) -> None:
        heartbeats = beating(Numbered())
        settling = move(heartbeats, 11.0)
        assert settling.lost(12.0) == [Aborted(MODE, 12.0, count=1)]
        assert settling.settled
        assert heartbeats.books.aborted == 1
        assert heartbeats.books.balanced

    def test_the_end_comes_after_the_deadline_that_came_before_it(self) -> None:
        settling = move(beating(Numbered()), 11.0)
        assert settling.lost(18.0) == [Missed(MODE, 18.0, consecutive=1, on_connection=0)]

    def test_an_echo_may_come_late_while_another_heartbeat_settles(self) -> None:
        heartbeats = beating(Numbered(), timeout=15.0)
        beat(heartbeats, 20.0)
        settling = move(heartbeats, 21.0)
        assert settling.received(0, 26.0, 26.0) == [
            Missed(MODE, 25.0, consecutive=1, on_connection=0),
            Late(MODE, 26.0, 16.0),
        ]
        assert not settling.settled
        assert settling.received(1, 27.0, 27.0) == [Echoed(MODE, 27.0, 7.0)]

    def test_losing_the_new_connection_does_not_touch_it(self) -> None:
        heartbeats = beating(Numbered())
        settling = move(heartbeats, 11.0)
        assert heartbeats.lost(12.0) == []
        assert not settling.settled
        assert settling.received(0, 13.0, 13.0) == [Echoed(MODE, 13.0, 3.0)]

    def test_several_deadlines_may_have_passed(self) -> None:
        heartbeats = beating(Numbered(), timeout=15.0)
        beat(heartbeats, 20.0)
        settling = move(heartbeats, 21.0)
        assert settling.expire(40.0) == [
            Missed(MODE, 25.0, consecutive=1, on_connection=0),
            Missed(MODE, 35.0, consecutive=2, on_connection=0),
        ]

    def test_a_deadline_there_does_not_count_what_was_missed_here(self) -> None:
        heartbeats = beating(Numbered(), timeout=40.0)
        settling = Settling(heartbeats, heartbeats.part())
        heartbeats.change(TEN_SECONDS, 2.0, Numbered(), 11.0)
        heartbeats.opened(proven=False)
        beat(heartbeats, 20.0)
        heartbeats.poll(22.0)
        assert settling.expire(50.0) == [Missed(MODE, 50.0, consecutive=2, on_connection=0)]

    def test_an_echo_there_says_nothing_of_the_new_connection(self) -> None:
        heartbeats = beating(Numbered(), timeout=40.0)
        settling = Settling(heartbeats, heartbeats.part())
        heartbeats.change(TEN_SECONDS, 2.0, Numbered(), 11.0)
        heartbeats.opened(proven=False)
        beat(heartbeats, 20.0)
        assert heartbeats.poll(22.0)[0] == [Missed(MODE, 22.0, 1, 1)]
        settling.received(0, 23.0, 23.0)
        assert heartbeats.consecutive_missed == 0
        beat(heartbeats, 30.0)
        assert heartbeats.poll(32.0)[0] == [Missed(MODE, 32.0, 1, 2)]


class TestTheNewConnection:
    """What goes on there."""

    def test_a_heartbeat_in_flight_on_the_former_one_forbids_none_here(self) -> None:
        heartbeats = beating(Unnumbered(10.0), timeout=10.0)
        settling = move(heartbeats, 19.0)
        beat(heartbeats, 20.0)
        assert heartbeats.books.in_flight == 2 - settling.settled
        assert heartbeats.received(None, 20.5) == [Echoed(MODE, 20.5, 0.5)]

    def test_a_beat_that_waited_for_the_former_one_goes_out_here(self) -> None:
        heartbeats = beating(Unnumbered(10.0), timeout=10.0)
        heartbeats.lost(10.1)
        heartbeats.opened(proven=False)
        beat(heartbeats, 20.2)
        events, order = heartbeats.poll(30.0)
        assert (events, order) == ([], None)
        assert heartbeats.books.waiting == 1
        move(heartbeats, 30.1)
        beat(heartbeats, 30.1)
        assert heartbeats.books.balanced

    def test_its_echoes_are_not_those_of_the_former_one(self) -> None:
        heartbeats = beating(Numbered())
        move(heartbeats, 11.0)
        assert heartbeats.received(0, 12.0) == [Unsolicited(MODE, 12.0)]

    def test_a_peer_that_answers_twice_is_known_to(self) -> None:
        matching = Unnumbered(10.0)
        heartbeats = beating(matching)
        heartbeats.received(None, 10.1)
        assert heartbeats.received(None, 10.2) == [Unsolicited(MODE, 10.2)]
        move(heartbeats, 11.0)
        assert heartbeats._matching.copies(20.0) == 1
        heartbeats._matching.received(None, 20.0, 20.0)
        assert heartbeats._matching.copies(20.1) == 0, "it waits until the second echo has come"

    def test_a_peer_that_answers_once_is_still_counted_on(self) -> None:
        heartbeats = beating(Unnumbered(10.0))
        heartbeats.received(None, 10.1)
        move(heartbeats, 11.0)
        beat(heartbeats, 20.0)
        order = heartbeats.poll(30.0)[1]
        assert order is not None
        _, copies, _ = order
        assert copies == 3, "a burst, after a miss"

    def test_a_row_of_misses_goes_on(self) -> None:
        heartbeats = beating(Numbered())
        heartbeats.poll(18.0)
        move(heartbeats, 19.0)
        assert heartbeats.consecutive_missed == 1
        beat(heartbeats, 20.0)
        assert heartbeats.poll(28.0)[0] == [Missed(MODE, 28.0, consecutive=2, on_connection=1)]

    def test_a_greeting_counts_after_one_that_was_followed_by_an_echo(self) -> None:
        heartbeats = beating(Numbered(), timeout=2.0)
        heartbeats.received(0, 11.0)
        beat(heartbeats, 20.0)
        heartbeats.poll(22.0)
        heartbeats.part()
        heartbeats.opened(proven=True)
        assert heartbeats.consecutive_missed == 0

    def test_a_greeting_counts_for_nothing_after_one_that_was_followed_by_misses_alone(
        self,
    ) -> None:
        heartbeats = beating(Numbered(), timeout=2.0)
        heartbeats.poll(12.0)
        heartbeats.part()
        heartbeats.opened(proven=True)
        assert heartbeats.consecutive_missed == 1


class TestChange:
    """Another config applies from now on."""

    def test_slots_of_the_new_schedule_follow(self) -> None:
        heartbeats = beating(Numbered())
        heartbeats.received(0, 11.0)
        heartbeats.part()
        every_three = Schedule(interval=3.0, phase=1.0)
        assert heartbeats.change(every_three, 2.0, Numbered(), 12.0) == []
        assert heartbeats.next_due == 13.0
        heartbeats.opened(proven=False)
        assert beat(heartbeats, 13.0) == []
        assert heartbeats.poll(15.0)[0] == [Missed(MODE, 15.0, 1, 1)]
        assert heartbeats.books.due == 2

    def test_a_slot_at_this_very_time_is_over(self) -> None:
        heartbeats = beating(Numbered())
        heartbeats.part()
        heartbeats.change(Schedule(5.0, 0.0), 2.0, Numbered(), 10.0)
        assert heartbeats.next_due == 15.0

    def test_the_same_schedule_goes_on(self) -> None:
        heartbeats = beating(Numbered())
        heartbeats.part()
        heartbeats.change(TEN_SECONDS, 2.0, Numbered(), 10.0)
        assert heartbeats.next_due == 20.0
        assert heartbeats.books.due == 1

    def test_what_fell_due_before_is_booked(self) -> None:
        heartbeats = beating(Numbered())
        heartbeats.lost(11.0)
        events = heartbeats.change(Schedule(3.0, 0.0), 2.0, Numbered(), 31.0)
        assert events == [Skipped(MODE, 2, SkipReason.NOT_CONNECTED)]
        assert heartbeats.books.balanced

    @pytest.mark.parametrize(("interval", "slack"), [(1.0, 0.5), (10.0, 1.0)])
    def test_how_late_a_beat_may_be_follows_the_new_interval(
        self, interval: float, slack: float
    ) -> None:
        heartbeats = beating(Numbered())
        heartbeats.lost(10.5)
        heartbeats.change(Schedule(interval, 0.25), 0.2, Numbered(), 10.5)
        heartbeats.opened(proven=False)
        late = heartbeats.next_due + slack
        assert heartbeats.poll(late)[1] is None
        following = heartbeats.next_due
        assert heartbeats.poll(following + slack - 0.01)[1] is not None
