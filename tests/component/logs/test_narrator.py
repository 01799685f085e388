"""One line for each change of state, with its reason and what is next; never a flood."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monitor.core.events import (
    Aborted,
    AbortReason,
    Crashed,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Event,
    Indistinct,
    Initiator,
    Late,
    Missed,
    Mode,
    Notice,
    Opened,
    PathMeasured,
    Postponed,
    Ready,
    Renewed,
    Sent,
    Skipped,
    SkipReason,
    Stopped,
    Unsolicited,
    UpChanged,
    Waiting,
)
from monitor.core.failures import FailureReason, Phase
from monitor.logs.narrator import LINES_AT_ONCE, SECONDS_A_LINE, LineBudget, Narrator

Lines = Callable[[], list[dict[str, Any]]]

REFUSED = DialFailed(1.0, FailureReason.TCP_REFUSED, Phase.TCP, "connection refused")
DROPPED = Disconnected(2.0, Initiator.NETWORK, 1006, 60.1234, True, "the stream ended")
NOT_READY = Disconnected(2.0, Initiator.REMOTE, 3000, 0.1, False, "the peer sent a close frame")


@pytest.fixture
def tell(lines: Lines) -> Callable[..., list[tuple[Any, ...]]]:
    """Return what tells events to a narrator: level, message and the rest of each line it wrote."""
    narrator = Narrator("p", "ws://h.example:80")

    def tell(*events: Event) -> list[tuple[Any, ...]]:
        for event in events:
            narrator(event)
        found = lines()
        for line in found:
            assert line.pop("probe") == "p"
            assert line.pop("endpoint") == "ws://h.example:80"
            del line["timestamp"]
        return [(line.pop("level"), line.pop("message"), line) for line in found]

    return tell


Tell = Callable[..., list[tuple[str, str, dict[str, Any]]]]


class TestLines:
    """What each event says."""

    def test_a_failed_connect_tells_why_where_and_when_the_next_one_is(self, tell: Tell) -> None:
        assert tell(Dialing(0.0, 3), REFUSED, Waiting(1.0, 2.34567, "tcp_refused")) == [
            ("debug", "connecting", {"attempt": 3}),
            (
                "warning",
                "connect failed",
                {
                    "reason": "tcp_refused",
                    "phase": "tcp",
                    "detail": "connection refused",
                    "retry_in": 2.346,
                },
            ),
        ]

    def test_a_connect_tells_where_it_led_and_how_long_it_took(self, tell: Tell) -> None:
        told = tell(
            Opened(1.0, "127.0.0.1", "TLSv1.3", "kernel"),
            Ready(1.1, 0.123456, {}, {}),
            UpChanged(1.1, True, "ready"),
        )
        assert told == [
            ("debug", "open", {"address": "127.0.0.1", "tls": "TLSv1.3"}),
            ("info", "ready", {"seconds": 0.1235}),
            ("info", "up", {"cause": "ready"}),
        ]

    def test_a_renewal_tells_what_for_and_what_became_of_the_old_connection(
        self, tell: Tell
    ) -> None:
        end = Disconnected(
            *(3.0, Initiator.LOCAL, 1000, 60.0, True, "", AbortReason.RENEWED),
            planned=True,
            spare=True,
        )
        assert tell(Renewed(2.0, "max_connection_age", 0.123456, {}, {}), end) == [
            ("info", "renewed", {"because": "max_connection_age", "seconds": 0.1235}),
            (
                "info",
                "disconnected",
                {
                    "initiator": "local",
                    "code": 1000,
                    "detail": "as ordered",
                    "lifetime": 60.0,
                    "because": "renewed",
                },
            ),
        ]

    def test_a_renewal_that_failed_tells_why_and_when_it_is_tried_again(self, tell: Tell) -> None:
        ((level, message, fields),) = tell(REFUSED, Postponed(1.0, 2.34567, "the config changed"))
        assert (level, message) == ("warning", "renewal failed, the connection in use stays")
        assert fields == {
            "reason": "tcp_refused",
            "phase": "tcp",
            "detail": "connection refused",
            "because": "the config changed",
            "retry_in": 2.346,
        }

    def test_a_former_connection_that_breaks_is_told_at_once(self, tell: Tell) -> None:
        ((level, message, _),) = tell(replace(DROPPED, spare=True))
        assert (level, message) == ("warning", "disconnected")

    def test_a_connection_without_tls_says_so(self, tell: Tell) -> None:
        ((_, _, fields),) = tell(Opened(1.0, "127.0.0.1", "", "kernel"))
        assert fields["tls"] == "none"

    def test_a_drop_tells_who_ended_it_how_and_when_the_next_attempt_is(self, tell: Tell) -> None:
        assert tell(DROPPED, UpChanged(2.0, False, "disconnected"), Waiting(2.0, 0.5, "x")) == [
            ("warning", "down", {"cause": "disconnected"}),
            (
                "warning",
                "disconnected",
                {
                    "initiator": "network",
                    "code": 1006,
                    "detail": "the stream ended",
                    "lifetime": 60.123,
                    "retry_in": 0.5,
                },
            ),
        ]

    def test_a_connection_that_we_gave_up_tells_why(self, tell: Tell) -> None:
        ended = Disconnected(2.0, Initiator.LOCAL, 1006, 9.0, True, "given up", AbortReason.MISSED)
        ((_, _, fields),) = tell(ended, Waiting(2.0, 0.5, "x"))
        assert fields["because"] == "missed"

    def test_a_planned_end_is_no_warning_and_waits_for_nothing(self, tell: Tell) -> None:
        ended = Disconnected(
            2.0, Initiator.LOCAL, 1001, 9.0, True, "", AbortReason.SHUTDOWN, planned=True
        )
        told = tell(ended, Stopped(2.0))
        assert [(level, message) for level, message, _ in told] == [
            ("info", "disconnected"),
            ("info", "no longer watched"),
        ]

    def test_an_end_before_it_was_usable_is_one_story_not_two(self, tell: Tell) -> None:
        failed = DialFailed(2.0, FailureReason.NOT_READY, Phase.READY, "closed with 3000")
        told = tell(NOT_READY, failed, Waiting(2.0, 1.0, "not_ready"))
        assert [(message, fields["reason"]) for _, message, fields in told] == [
            ("connect failed", "not_ready")
        ]

    def test_a_story_is_told_once(self, tell: Tell) -> None:
        assert len(tell(REFUSED, Waiting(1.0, 1.0, "x"), Waiting(2.0, 1.0, "x"))) == 1

    def test_misses_and_late_echoes_tell_their_mode(self, tell: Tell) -> None:
        told = tell(
            Missed(Mode.PING, 1.0, 2, 2),
            Late(Mode.MESSAGE, 1.5, 2.345678),
            Late(Mode.MESSAGE, 1.5, None),
        )
        assert told == [
            ("warning", "heartbeat missed", {"mode": "ping", "in_a_row": 2}),
            ("info", "echo came late", {"mode": "message", "rtt": 2.3457}),
            ("info", "echo came late", {"mode": "message", "rtt": None}),
        ]

    def test_what_the_peer_complains_of_is_a_warning(self, tell: Tell) -> None:
        assert tell(Notice(1.0, "talo_error_rate_limit_exceeded")) == [
            ("warning", "the peer complains", {"said": "talo_error_rate_limit_exceeded"})
        ]

    def test_a_bug_of_ours_is_an_error(self, tell: Tell) -> None:
        ((level, message, fields),) = tell(Crashed(1.0, "KeyError at take:7"))
        assert (level, fields) == ("error", {"error": "KeyError at take:7"})
        assert "bug" in message

    def test_ordinary_beats_make_no_line(self, tell: Tell) -> None:
        told = tell(
            Sent(Mode.PING, 1.0, 0.0),
            Echoed(Mode.PING, 1.1, 0.1),
            Skipped(Mode.PING, 3, SkipReason.NOT_CONNECTED),
            Aborted(Mode.PING, 1.0, 1),
            Unsolicited(Mode.PING, 1.0),
            Indistinct(Mode.MESSAGE, 1.0),
            PathMeasured(1.0, 0.1, 0),
        )
        assert told == []


class TestLimits:
    """A probe that changes all the time does not fill the log."""

    def test_a_budget_has_a_burst_and_then_a_pace(self) -> None:
        budget = LineBudget()
        burst = [budget.admit(100.0) for _ in range(LINES_AT_ONCE + 5)]
        assert burst.count(True) == LINES_AT_ONCE
        assert budget.suppressed == 5
        assert budget.admit(100.0 + SECONDS_A_LINE)
        assert not budget.admit(100.0 + SECONDS_A_LINE)

    def test_a_budget_saves_up_no_more_than_its_burst(self) -> None:
        budget = LineBudget()
        budget.admit(0.0)
        assert [budget.admit(1e6) for _ in range(LINES_AT_ONCE + 1)].count(True) == LINES_AT_ONCE

    def test_what_was_left_out_is_counted_in_the_next_line(self, tell: Tell) -> None:
        flood = [Missed(Mode.PING, 100.0, number, number) for number in range(LINES_AT_ONCE + 7)]
        assert len(tell(*flood)) == LINES_AT_ONCE
        after = 100.0 + 2 * SECONDS_A_LINE
        first, second = tell(*(Missed(Mode.PING, after, 99, 99) for _ in range(2)))
        assert first[2]["suppressed_lines"] == 7
        assert "suppressed_lines" not in second[2]

    def test_each_probe_has_a_budget_of_its_own(self, lines: Lines) -> None:
        noisy, quiet = Narrator("noisy", "ws://h:80"), Narrator("quiet", "ws://h:80")
        for number in range(LINES_AT_ONCE + 7):
            noisy(Missed(Mode.PING, 100.0, number, number))
        quiet(Missed(Mode.PING, 100.0, 1, 1))
        assert [line["probe"] for line in lines()].count("quiet") == 1

    def test_a_bug_is_told_whatever_was_told_before(self, tell: Tell) -> None:
        flood = [Missed(Mode.PING, 100.0, number, number) for number in range(LINES_AT_ONCE + 7)]
        tell(*flood)
        assert len(tell(Crashed(100.0, "KeyError at take:7"))) == 1
