"""The books: what falls due, what is sent, and what becomes of it.

Beats are due at 10, 20, 30 and so on; an echo is in time for 4 seconds.
"""

from collections import Counter

import pytest

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
from monitor.core.heartbeats import LONGEST_SLACK, NEVER, Books, Heartbeats
from monitor.core.matching import Found
from monitor.core.numbered import Numbered
from monitor.core.schedule import Schedule
from monitor.core.unnumbered import Unnumbered

MODE = Mode.MESSAGE
TEN_SECONDS = Schedule(interval=10.0, phase=0.0)


def with_ids(timeout: float = 4.0) -> Heartbeats:
    """Heartbeats whose echoes carry an id, connected at 5."""
    heartbeats = Heartbeats(MODE, TEN_SECONDS, timeout, Numbered(), start=5.0)
    heartbeats.opened(proven=False)
    return heartbeats


def without_ids(timeout: float = 4.0) -> Heartbeats:
    """Heartbeats whose echoes carry none, connected at 5."""
    heartbeats = Heartbeats(MODE, TEN_SECONDS, timeout, Unnumbered(10.0), start=5.0)
    heartbeats.opened(proven=False)
    return heartbeats


def beat(heartbeats: Heartbeats, now: float) -> Sent:
    """Poll at a time at which a beat is due, and send it at once."""
    events, order = heartbeats.poll(now)
    assert not events
    assert order is not None
    return heartbeats.sent(order, now)


def skipped(count: int, reason: SkipReason) -> Skipped:
    """So many beats were never sent."""
    return Skipped(MODE, count, reason)


class TestWhenABeatIsDue:
    """Slots come from the schedule, and are sent in time or not at all."""

    def test_the_first_beat_is_the_first_slot_at_or_after_the_start(self) -> None:
        assert with_ids().next_due == 10.0
        assert Heartbeats(MODE, TEN_SECONDS, 4.0, Numbered(), start=20.0).next_due == 20.0

    def test_a_beat_in_time_takes_no_search_for_the_next_slot(self) -> None:
        class Straight(Schedule):
            def slot_after(self, now: float) -> int:
                raise AssertionError(f"the slot after {now} was searched for")

        heartbeats = Heartbeats(MODE, Straight(interval=10.0, phase=0.0), 4.0, Numbered(), 25.0)
        heartbeats.opened(proven=False)
        assert beat(heartbeats, 30.0) == Sent(MODE, 30.0, slip=0.0)
        assert heartbeats.next_due == 40.0

    def test_nothing_happens_before_a_beat_is_due(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.poll(9.9) == ([], None)
        assert heartbeats.next_timer == heartbeats.next_due == 10.0
        assert heartbeats.next_deadline() == NEVER

    def test_a_due_beat_is_ordered_and_the_next_one_is_an_interval_later(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.poll(10.0) == ([], (0, 1, 10.0))
        assert heartbeats.next_due == 20.0

    def test_a_beat_is_ordered_only_once(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.poll(10.0) == ([], None)

    def test_each_heartbeat_has_its_own_key(self) -> None:
        heartbeats = with_ids()
        keys = []
        for now in (10.0, 20.0, 30.0):
            _, order = heartbeats.poll(now)
            assert order is not None
            key, _, _ = order
            keys.append(key)
            heartbeats.sent(order, now)
            heartbeats.received(key, now + 1.0)
        assert keys == [0, 1, 2]

    def test_the_slip_is_how_much_later_than_due_a_beat_was_sent(self) -> None:
        heartbeats = with_ids()
        _, order = heartbeats.poll(10.25)
        assert order == (0, 1, 10.0)
        assert heartbeats.sent(order, 10.5) == Sent(MODE, 10.5, slip=0.5)

    def test_a_beat_sent_a_hair_early_has_not_slipped(self) -> None:
        heartbeats = with_ids()
        _, order = heartbeats.poll(10.0)
        assert order is not None
        assert heartbeats.sent(order, 9.75) == Sent(MODE, 9.75, slip=0.0)

    def test_the_timeout_runs_from_the_sending(self) -> None:
        heartbeats = with_ids()
        _, order = heartbeats.poll(10.0)
        assert order is not None
        heartbeats.sent(order, 10.5)
        assert heartbeats.next_deadline() == heartbeats.next_timer == 14.5

    def test_a_beat_that_cannot_be_sent_is_skipped(self) -> None:
        heartbeats = with_ids()
        for now in (10.0, 20.0):
            assert heartbeats.poll(now)[1] is not None
            assert heartbeats.unsent() == skipped(1, SkipReason.NOT_CONNECTED)
        assert heartbeats.books == Books(due=2, skipped=Counter({SkipReason.NOT_CONNECTED: 2}))

    def test_beats_that_fall_due_without_a_connection_are_skipped(self) -> None:
        heartbeats = Heartbeats(MODE, TEN_SECONDS, 4.0, Numbered(), start=5.0)
        assert heartbeats.poll(10.0) == ([skipped(1, SkipReason.NOT_CONNECTED)], None)
        assert heartbeats.poll(35.0) == ([skipped(2, SkipReason.NOT_CONNECTED)], None)
        assert heartbeats.next_due == 40.0

    def test_a_beat_that_is_a_second_late_is_skipped(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.poll(11.0) == ([skipped(1, SkipReason.OVERRUN)], None)
        assert heartbeats.poll(20.9)[1] is not None

    def test_a_beat_that_is_half_a_short_interval_late_is_skipped(self) -> None:
        for now, expected in ((1.24, True), (1.25, False)):
            schedule = Schedule(interval=0.5, phase=0.0)
            heartbeats = Heartbeats(MODE, schedule, 0.1, Numbered(), start=0.9)
            heartbeats.opened(proven=False)
            assert (heartbeats.poll(now)[1] is not None) == expected
        assert LONGEST_SLACK == 1.0

    def test_after_a_stall_only_the_newest_beat_is_sent_and_only_if_not_too_late(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.poll(40.5) == (
            [skipped(3, SkipReason.OVERRUN)],
            (0, 1, 40.0),
        )
        heartbeats.unsent()
        assert heartbeats.poll(71.5) == ([skipped(3, SkipReason.OVERRUN)], None)

    def test_several_heartbeats_with_ids_may_be_in_flight(self) -> None:
        heartbeats = with_ids(timeout=15.0)
        beat(heartbeats, 10.0)
        beat(heartbeats, 20.0)
        assert heartbeats.books.in_flight == 2
        assert heartbeats.next_deadline() == 25.0


class TestWhatBecomesOfAHeartbeat:
    """Echoed, missed or aborted: exactly one of them."""

    def test_an_echo_before_the_deadline_is_in_time(self) -> None:
        heartbeats = with_ids()
        assert beat(heartbeats, 10.0) == Sent(MODE, 10.0, slip=0.0)
        assert heartbeats.received(0, 13.75) == [Echoed(MODE, 13.75, rtt=3.75)]
        assert heartbeats.books == Books(due=1, sent=1, echoed=1)
        assert heartbeats.next_deadline() == NEVER

    def test_a_heartbeat_is_missed_at_its_deadline(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.poll(13.9) == ([], None)
        missed = Missed(MODE, 14.0, consecutive=1, on_connection=1)
        assert heartbeats.poll(14.0) == ([missed], None)
        assert heartbeats.books == Books(due=1, sent=1, missed=1)

    def test_an_echo_at_the_deadline_is_late_and_its_rtt_is_told(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.received(0, 14.0) == [
            Missed(MODE, 14.0, consecutive=1, on_connection=1),
            Late(MODE, 14.0, rtt=4.0),
        ]
        assert heartbeats.books == Books(due=1, sent=1, missed=1, late=1)

    def test_an_echo_that_may_have_come_in_time_is_in_time(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.received(0, 60.0, earliest=13.9) == [Echoed(MODE, 60.0, rtt=None)]

    def test_an_echo_that_cannot_have_come_in_time_is_late(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.received(0, 60.0, earliest=14.0) == [
            Missed(MODE, 14.0, consecutive=1, on_connection=1),
            Late(MODE, 60.0, rtt=None),
        ]

    def test_a_miss_is_dated_by_its_deadline_however_late_the_poll(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        events, _ = heartbeats.poll(40.0)
        assert events == [
            Missed(MODE, 14.0, consecutive=1, on_connection=1),
            skipped(2, SkipReason.OVERRUN),
        ]

    def test_heartbeats_are_missed_in_the_order_of_their_deadlines(self) -> None:
        heartbeats = with_ids(timeout=15.0)
        beat(heartbeats, 10.0)
        beat(heartbeats, 20.0)
        heartbeats.lost(29.0)
        heartbeats.opened(proven=False)
        beat(heartbeats, 30.0)
        beat(heartbeats, 40.0)
        events, _ = heartbeats.poll(56.0)
        assert events[:2] == [
            Missed(MODE, 45.0, consecutive=2, on_connection=1),
            Missed(MODE, 55.0, consecutive=3, on_connection=2),
        ]
        assert heartbeats.books.missed == 3

    def test_what_is_in_flight_when_the_connection_ends_is_aborted(self) -> None:
        heartbeats = with_ids(timeout=15.0)
        beat(heartbeats, 10.0)
        beat(heartbeats, 20.0)
        assert heartbeats.lost(21.0) == [Aborted(MODE, 21.0, count=2)]
        assert heartbeats.books == Books(due=2, sent=2, aborted=2)

    def test_aborted_heartbeats_add_up(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        heartbeats.lost(11.0)
        heartbeats.opened(proven=False)
        beat(heartbeats, 20.0)
        heartbeats.lost(21.0)
        assert heartbeats.books == Books(due=2, sent=2, aborted=2)

    def test_thousands_may_be_missed_at_one_look(self) -> None:
        """They were sent often, with patience, and then we were held for long."""
        heartbeats = with_ids(timeout=30_000.0)
        times = [10.0 * slot for slot in range(1, 2001)]
        for now in times:
            beat(heartbeats, now)
        events = heartbeats.lost(50_000.0)
        assert [event.at for event in events if isinstance(event, Missed)] == [
            now + 30_000.0 for now in times
        ]
        assert heartbeats.books.balanced

    def test_what_was_missed_before_the_connection_ended_is_not_aborted(self) -> None:
        heartbeats = with_ids()
        beat(heartbeats, 10.0)
        assert heartbeats.lost(14.0) == [Missed(MODE, 14.0, consecutive=1, on_connection=1)]
        assert heartbeats.books == Books(due=1, sent=1, missed=1)

    def test_it_knows_whether_there_is_a_connection(self) -> None:
        heartbeats = Heartbeats(MODE, TEN_SECONDS, 4.0, Numbered(), start=5.0)
        states: list[bool] = [heartbeats._open]
        heartbeats.opened(proven=False)
        states.append(heartbeats._open)
        heartbeats.lost(7.0)
        states.append(heartbeats._open)
        assert states == [False, True, False]

    def test_a_connection_that_ends_idle_aborts_nothing(self) -> None:
        assert with_ids().lost(9.0) == []

    def test_what_fell_due_before_the_connection_ended_was_ours_to_send(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.lost(25.0) == [skipped(2, SkipReason.OVERRUN)]
        assert heartbeats.poll(30.0) == ([skipped(1, SkipReason.NOT_CONNECTED)], None)

    def test_a_beat_that_fell_due_as_the_connection_ended_is_not_sent(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.lost(10.5) == [skipped(1, SkipReason.NOT_CONNECTED)]
        assert heartbeats.poll(10.6) == ([], None)

    def test_an_echo_that_answers_nothing_is_unsolicited(self) -> None:
        heartbeats = with_ids()
        assert heartbeats.received(None, 7.0) == [Unsolicited(MODE, 7.0)]
        assert heartbeats.received(3, 8.0) == [Unsolicited(MODE, 8.0)]
        assert heartbeats.books == Books(unsolicited=2)

    def test_a_late_echo_is_counted_each_time(self) -> None:
        heartbeats = with_ids()
        for number, now in enumerate((10.0, 20.0)):
            beat(heartbeats, now)
            heartbeats.received(number, now + 5.0)
        assert heartbeats.books == Books(due=2, sent=2, missed=2, late=2)


def _miss(heartbeats: Heartbeats, now: float) -> list[HeartbeatEvent]:
    """Send a beat and let its time pass."""
    beat(heartbeats, now)
    return heartbeats.poll(now + 4.0)[0]


class TestHowMissesAreCounted:
    """In a row, since the last echo: over all connections, and on this one."""

    @pytest.fixture
    def twice_missed(self) -> Heartbeats:
        """Heartbeats of which the first two were missed."""
        heartbeats = with_ids()
        for now in (10.0, 20.0):
            _miss(heartbeats, now)
        return heartbeats

    def test_misses_in_a_row_add_up(self, twice_missed: Heartbeats) -> None:
        assert twice_missed.consecutive_missed == 2
        beat(twice_missed, 30.0)
        events, _ = twice_missed.poll(34.0)
        assert events == [Missed(MODE, 34.0, consecutive=3, on_connection=3)]

    def test_an_echo_in_time_ends_the_row(self, twice_missed: Heartbeats) -> None:
        beat(twice_missed, 30.0)
        twice_missed.received(2, 31.0)
        assert twice_missed.consecutive_missed == 0
        beat(twice_missed, 40.0)
        events, _ = twice_missed.poll(44.0)
        assert events == [Missed(MODE, 44.0, consecutive=1, on_connection=1)]

    def test_a_late_echo_does_not_end_the_row(self, twice_missed: Heartbeats) -> None:
        twice_missed.received(1, 26.0)
        assert twice_missed.consecutive_missed == 2

    def test_a_new_connection_alone_does_not_end_the_row(self, twice_missed: Heartbeats) -> None:
        twice_missed.lost(25.0)
        twice_missed.opened(proven=False)
        assert twice_missed.consecutive_missed == 2
        beat(twice_missed, 30.0)
        events, _ = twice_missed.poll(34.0)
        assert events == [Missed(MODE, 34.0, consecutive=3, on_connection=1)]

    def test_an_answer_of_the_application_ends_the_row(self, twice_missed: Heartbeats) -> None:
        beat(twice_missed, 30.0)
        twice_missed.received(2, 31.0)
        _miss(twice_missed, 40.0)
        twice_missed.lost(45.0)
        twice_missed.opened(proven=True)
        assert twice_missed.consecutive_missed == 0

    def test_one_missed_on_a_former_connection_counts_in_the_row_alone(
        self, twice_missed: Heartbeats
    ) -> None:
        events = twice_missed.book_missed(1, 24.0, here=False)
        assert events == [Missed(MODE, 24.0, consecutive=3, on_connection=0)]
        assert _miss(twice_missed, 30.0) == [Missed(MODE, 34.0, consecutive=4, on_connection=3)]

    def test_a_greeting_without_an_echo_to_follow_ends_no_row_the_next_time(
        self, twice_missed: Heartbeats
    ) -> None:
        twice_missed.lost(25.0)
        twice_missed.opened(proven=True)
        assert twice_missed.consecutive_missed == 2
        events = _miss(twice_missed, 30.0)
        assert events == [Missed(MODE, 34.0, consecutive=3, on_connection=1)]

    def test_a_connection_that_ended_at_once_changes_no_mind(
        self, twice_missed: Heartbeats
    ) -> None:
        for end in (25.0, 26.0):
            twice_missed.lost(end)
            twice_missed.opened(proven=True)
        assert twice_missed.consecutive_missed == 2

    def test_an_echo_makes_greetings_count_again(self, twice_missed: Heartbeats) -> None:
        twice_missed.lost(25.0)
        twice_missed.opened(proven=True)
        beat(twice_missed, 30.0)
        twice_missed.received(2, 31.0)
        _miss(twice_missed, 40.0)
        twice_missed.lost(45.0)
        twice_missed.opened(proven=False)
        twice_missed.lost(46.0)
        twice_missed.opened(proven=True)
        assert twice_missed.consecutive_missed == 0


class TestABeatThatWaits:
    """Without ids only one heartbeat may be in flight; the next one waits for a moment."""

    @pytest.fixture
    def waiting(self) -> Heartbeats:
        """A beat was sent at 10.5; the one due at 20 waits for its deadline at 20.25."""
        heartbeats = without_ids(timeout=9.75)
        _, order = heartbeats.poll(10.5)
        assert order is not None
        heartbeats.sent(order, 10.5)
        assert heartbeats.poll(20.0) == ([], None)
        return heartbeats

    def test_it_is_booked_as_waiting(self, waiting: Heartbeats) -> None:
        assert waiting.books == Books(due=2, waiting=1, sent=1, in_flight=1)
        assert waiting.books.balanced

    def test_it_goes_out_when_the_one_before_is_missed(self, waiting: Heartbeats) -> None:
        assert waiting.next_timer == 20.25
        missed = Missed(MODE, 20.25, consecutive=1, on_connection=1)
        assert waiting.poll(20.25) == ([missed], (1, 3, 20.0))

    def test_it_is_skipped_if_the_connection_ends_as_the_one_before_is_missed(
        self, waiting: Heartbeats
    ) -> None:
        assert waiting.lost(20.25) == [
            Missed(MODE, 20.25, consecutive=1, on_connection=1),
            skipped(1, SkipReason.NOT_CONNECTED),
        ]

    def test_it_goes_out_when_the_one_before_is_echoed(self, waiting: Heartbeats) -> None:
        waiting.received(None, 20.125)
        assert waiting.next_timer <= 20.125
        assert waiting.poll(20.125) == ([], (1, 1, 20.0))

    def test_it_waits_no_longer_than_a_second(self) -> None:
        heartbeats = without_ids(timeout=15.0)
        beat(heartbeats, 10.0)
        assert heartbeats.poll(20.0) == ([], None)
        assert heartbeats.next_timer == 21.0
        assert heartbeats.poll(20.9) == ([], None)
        assert heartbeats.poll(21.0) == ([skipped(1, SkipReason.OVERRUN)], None)
        assert heartbeats.next_timer == 25.0
        assert heartbeats.books == Books(
            due=2, sent=1, in_flight=1, skipped=Counter({SkipReason.OVERRUN: 1})
        )

    def test_after_a_stall_it_is_skipped_with_all_the_others(self, waiting: Heartbeats) -> None:
        events, order = waiting.poll(55.0)
        assert events[1:] == [skipped(4, SkipReason.OVERRUN)]
        assert order is None

    def test_after_a_stall_the_newest_takes_its_place(self, waiting: Heartbeats) -> None:
        events, order = waiting.poll(50.5)
        assert events[1:] == [skipped(3, SkipReason.OVERRUN)]
        assert order == (1, 3, 50.0)

    def test_it_is_skipped_when_the_connection_ends(self, waiting: Heartbeats) -> None:
        assert waiting.lost(20.125) == [
            skipped(1, SkipReason.NOT_CONNECTED),
            Aborted(MODE, 20.125, count=1),
        ]
        waiting.opened(proven=False)
        assert waiting.poll(20.2) == ([], None)


class TestEchoesThatCannotBeToldApart:
    """Beats are held back, and after a while a new connection is asked for."""

    @pytest.fixture
    def doubtful(self) -> Heartbeats:
        """Two beats were missed, and one echo came that may be of either."""
        heartbeats = without_ids()
        beat(heartbeats, 10.0)
        heartbeats.poll(14.0)
        _, order = heartbeats.poll(20.0)
        assert order == (1, 3, 20.0)
        heartbeats.sent(order, 20.0)
        heartbeats.poll(24.0)
        assert heartbeats.received(None, 25.0) == []
        return heartbeats

    def test_a_beat_is_held_back_while_answers_come(self, doubtful: Heartbeats) -> None:
        assert doubtful.poll(30.0) == ([skipped(1, SkipReason.AMBIGUOUS)], None)
        assert doubtful.poll(30.0) == ([], None)

    def test_a_new_connection_is_asked_for_until_there_is_one(self, doubtful: Heartbeats) -> None:
        doubtful.poll(30.0)
        for now in (40.0, 50.0):
            events, order = doubtful.poll(now)
            assert events == [skipped(1, SkipReason.AMBIGUOUS), Indistinct(MODE, now)]
            assert order is None
        assert doubtful.books.balanced

    def test_on_a_new_connection_all_is_well_again(self, doubtful: Heartbeats) -> None:
        doubtful.poll(40.0)
        doubtful.lost(41.0)
        doubtful.opened(proven=False)
        beat(doubtful, 50.0)
        assert doubtful.received(None, 50.5) == [Echoed(MODE, 50.5, rtt=0.5)]

    def test_each_connection_can_ask_for_the_next(self, doubtful: Heartbeats) -> None:
        doubtful.poll(40.0)
        doubtful.lost(41.0)
        doubtful.opened(proven=False)
        for due in (50.0, 60.0):
            _, order = doubtful.poll(due)
            assert order is not None
            doubtful.sent(order, due)
            doubtful.poll(due + 4.0)
        doubtful.received(None, 65.0)
        events, _ = doubtful.poll(80.0)
        assert events[-1] == Indistinct(MODE, 80.0)

    def test_one_echo_can_settle_two_beats(self) -> None:
        heartbeats = without_ids()
        beat(heartbeats, 10.0)
        heartbeats.poll(14.0)
        _, order = heartbeats.poll(20.0)
        assert order is not None
        heartbeats.sent(order, 20.0)
        for arrived in (24.0, 24.25, 24.5):
            heartbeats.received(None, arrived)
        assert heartbeats.received(None, 24.75) == [Late(MODE, 24.0, rtt=14.0)]
        assert heartbeats.books == Books(due=2, sent=2, missed=2, late=2)


class TestBooks:
    """They balance, or something was lost or counted twice."""

    def test_books_that_balance(self) -> None:
        skips = Counter({SkipReason.OVERRUN: 2, SkipReason.PAUSED: 1})
        books = Books(
            due=11, waiting=1, sent=7, echoed=3, missed=2, aborted=1, in_flight=1, skipped=skips
        )
        assert books.balanced

    @pytest.mark.parametrize(
        "counter", ["due", "waiting", "sent", "echoed", "missed", "aborted", "in_flight"]
    )
    def test_books_in_which_one_figure_is_off(self, counter: str) -> None:
        books = Books()
        setattr(books, counter, 1)
        assert not books.balanced

    def test_a_skip_that_was_never_due(self) -> None:
        assert not Books(skipped=Counter({SkipReason.PAUSED: 1})).balanced

    def test_late_and_unsolicited_echoes_settle_nothing(self) -> None:
        assert Books(late=1, unsolicited=1).balanced


class Scribe(Numbered):
    """A matching that writes down what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[object, ...]] = []

    def copies(self, now: float) -> int:
        self.asked.append(("copies", now))
        return 2

    def sent(self, key: int, copies: int, at: float, deadline: float) -> None:
        self.asked.append(("sent", key, copies, at, deadline))
        super().sent(key, copies, at, deadline)

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:
        self.asked.append(("received", key, arrived, earliest))
        return super().received(key, arrived, earliest)


class TestTheSeam:
    """Any matching will do; what it is told is the truth."""

    def test_a_matching_is_told_all_that_happens_and_when(self) -> None:
        matching = Scribe()
        heartbeats = Heartbeats(Mode.PING, TEN_SECONDS, 4.0, matching, start=5.0)
        heartbeats.opened(proven=True)
        _, order = heartbeats.poll(10.25)
        assert order == (0, 2, 10.0)
        heartbeats.sent(order, 10.5)
        assert heartbeats.received(0, 12.0, 11.5) == [Echoed(Mode.PING, 12.0, rtt=None)]
        heartbeats.received(0, 12.5)
        assert matching.asked == [
            ("copies", 10.25),
            ("sent", 0, 2, 10.5, 14.5),
            ("received", 0, 12.0, 11.5),
            ("received", 0, 12.5, 12.5),
        ]
