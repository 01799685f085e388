"""A probe's series: what each event does, what is there from the start, what it costs."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.availability import Availability
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
from monitor.core.heartbeats import Heartbeats
from monitor.core.numbered import Numbered
from monitor.core.schedule import Schedule
from monitor.core.traffic import Traffic
from monitor.metrics import families
from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.layout import Detail
from monitor.metrics.places import EXPECTED_DISCONNECTS
from monitor.metrics.series import BeatFacts, ProbeIdentity, ProbeSeries
from tests.unit.metrics.probes import (
    A_LIFE,
    CLOSED,
    EPOCH,
    OPENED,
    after,
    identity,
    new_series,
    noted,
    page,
    samples,
    value,
)

RENEWED = Renewed(20.5, "max_connection_age", 0.5, {Phase.TCP: 0.1}, {})

MESSAGE = Mode.MESSAGE
BOTH = (Mode.MESSAGE, Mode.PING)


def heartbeats(series: ProbeSeries, what: str, mode: Mode = MESSAGE) -> float | None:
    """Return one of the heartbeat counters."""
    return value(series, f"ws_probe_heartbeats_{what}_total", mode=mode)


def closed(initiator: Initiator, code: int) -> Disconnected:
    """Return the end of a connection that was open for ten seconds."""
    return Disconnected(11.0, initiator, code, 10.0, was_ready=True, detail="it ended")


class TestFromTheStart:
    """What a probe exposes before anything has happened."""

    def test_every_child_with_a_natural_zero_is_there_at_0(self) -> None:
        """A series born at 1 hides its first event from `increase()`."""
        series = after(modes=BOTH)
        present = samples(series)
        facts = ("interval_seconds", "timeout_seconds", "ws_probe_info")
        assert {number for (name, _), number in present.items() if not name.endswith(facts)} == {0}
        for mode in BOTH:
            for reason in SkipReason:
                assert value(series, families.SKIPPED.name, mode=mode, reason=reason) is not None
        for failure in FailureReason:
            assert value(series, families.CONNECT_FAILURES.name, reason=failure) == 0
        for phase in Phase:
            assert value(series, families.CONNECT_PHASE_DURATION.name, phase=phase) == 0
        for initiator, code in EXPECTED_DISCONNECTS:
            labels = {"initiator": initiator, "code": code}
            assert value(series, families.DISCONNECTS.name, **labels) == 0

    def test_what_has_no_natural_zero_is_absent(self) -> None:
        """A time stamp of 0 is 1970, a path of 0 s is a lie."""
        (block,) = noted(new_series(*BOTH))
        empty = {family for family in PROBE_FAMILIES if not list(block.samples(family))}
        assert empty == {
            families.CONNECTION_START,
            families.TCP_RTT,
            families.CERTIFICATE_NOT_AFTER,
            families.LAST_ECHO,
        }

    def test_the_config_is_there_as_numbers(self) -> None:
        """So that one alert fits every probe."""
        series = after()
        assert value(series, "ws_probe_heartbeat_interval_seconds", mode=MESSAGE) == 10
        assert value(series, "ws_probe_heartbeat_timeout_seconds", mode=MESSAGE) == 5

    def test_info_is_there_without_a_connection(self) -> None:
        """With empty labels, which is what Prometheus makes of none."""
        info = {
            "protocol": "talo",
            "endpoint": "wss://example.test:443",
            "address": "",
            "tls_version": "",
            "timestamping": "",
        }
        assert value(after(), "ws_probe_info", **info) == 1


class TestLabels:
    """Which labels a probe's series have."""

    def test_the_labels_of_the_config_are_on_every_series(self) -> None:
        """Beside the probe's name."""
        named = identity("lobby", region="eu", team="chat")
        series = ProbeSeries(named, Traffic(), Availability())
        common = {("probe", "lobby"), ("region", "eu"), ("team", "chat")}
        assert all(common <= labels for _, labels in samples(series))

    @pytest.mark.parametrize("label", ["probe", "mode", "le", "code", "__name__", "a-b", "1a", ""])
    def test_a_label_that_would_clash_is_refused(self, label: str) -> None:
        """It would hide one of ours, or break every scrape."""
        facts = {MESSAGE: BeatFacts(1.0, 1.0)}
        bad = ProbeIdentity("lobby", {label: "x"}, "ping", "ws://example.test:80", facts)
        with pytest.raises(ValueError, match=r"probe lobby: .* cannot be a label"):
            ProbeSeries(bad, Traffic(), Availability())


class TestBeats:
    """What heartbeats do."""

    def test_a_sent_heartbeat_is_in_flight(self) -> None:
        """Until it settles."""
        series = after(Sent(MESSAGE, 1.0, 0.0))
        assert heartbeats(series, "sent") == 1
        assert value(series, "ws_probe_heartbeats_in_flight", mode=MESSAGE) == 1

    @pytest.mark.parametrize(
        ("event", "counter"),
        [
            (Echoed(MESSAGE, 1.5, 0.5), "echoed"),
            (Missed(MESSAGE, 6.0, 1, 1), "missed"),
            (Aborted(MESSAGE, 2.0, 1), "aborted"),
        ],
    )
    def test_a_settled_heartbeat_is_counted_once(self, event: Event, counter: str) -> None:
        """In one of three ways, and it is no longer in flight."""
        series = after(Sent(MESSAGE, 1.0, 0.0), event)
        counts = {name: heartbeats(series, name) for name in ("echoed", "missed", "aborted")}
        assert counts == {"echoed": 0, "missed": 0, "aborted": 0} | {counter: 1}
        assert value(series, "ws_probe_heartbeats_in_flight", mode=MESSAGE) == 0

    def test_several_may_be_aborted_at_once(self) -> None:
        """All that were in flight."""
        series = after(Sent(MESSAGE, 1.0, 0.0), Sent(MESSAGE, 2.0, 0.0), Aborted(MESSAGE, 2.5, 2))
        assert heartbeats(series, "aborted") == 2
        assert value(series, "ws_probe_heartbeats_in_flight", mode=MESSAGE) == 0

    def test_an_echo_in_time_and_a_late_one_tell_their_rtt(self) -> None:
        """The histogram has both, or its tail would end at the time-out."""
        series = after(Echoed(MESSAGE, 1.5, 0.5), Late(MESSAGE, 8.0, 6.0))
        assert value(series, "ws_probe_rtt_seconds_count", mode=MESSAGE) == 2
        assert value(series, "ws_probe_rtt_seconds_sum", mode=MESSAGE) == 6.5
        assert value(series, "ws_probe_rtt_seconds_bucket", mode=MESSAGE, le="5.0") == 1
        assert heartbeats(series, "late") == 1

    def test_an_unknown_rtt_is_not_made_up(self) -> None:
        """The echo counts, the histogram does not know of it."""
        series = after(Echoed(MESSAGE, 1.5, None), Late(MESSAGE, 8.0, None))
        assert value(series, "ws_probe_rtt_seconds_count", mode=MESSAGE) == 0
        assert heartbeats(series, "echoed") == 1

    def test_the_latest_echo_is_told_in_unix_time(self) -> None:
        """A late one is an echo too."""
        name = "ws_probe_last_echo_timestamp_seconds"
        assert value(after(Echoed(MESSAGE, 1.5, 0.5)), name, mode=MESSAGE) == EPOCH + 1.5
        late = after(Echoed(MESSAGE, 1.5, 0.5), Late(MESSAGE, 8.0, 6.0))
        assert value(late, name, mode=MESSAGE) == EPOCH + 8.0

    def test_misses_in_a_row_are_the_core_s(self) -> None:
        """It counts across connections."""
        series = after(Missed(MESSAGE, 6.0, 7, 1))
        assert value(series, "ws_probe_consecutive_missed", mode=MESSAGE) == 7

    def test_an_echo_ends_a_row_of_misses(self) -> None:
        """Of its own mode."""
        series = after(
            Missed(MESSAGE, 6.0, 2, 2),
            Missed(Mode.PING, 6.0, 2, 2),
            Echoed(MESSAGE, 11.0, 0.1),
            modes=BOTH,
        )
        assert value(series, "ws_probe_consecutive_missed", mode=MESSAGE) == 0
        assert value(series, "ws_probe_consecutive_missed", mode=Mode.PING) == 2

    def test_a_start_may_end_rows_of_misses(self) -> None:
        """The core says which ones still stand."""
        series = after(
            Missed(MESSAGE, 6.0, 2, 2),
            Missed(Mode.PING, 6.0, 2, 2),
            Ready(8.0, 0.1, {}, {MESSAGE: 0, Mode.PING: 2}),
            modes=BOTH,
        )
        assert value(series, "ws_probe_consecutive_missed", mode=MESSAGE) == 0
        assert value(series, "ws_probe_consecutive_missed", mode=Mode.PING) == 2

    def test_skipped_heartbeats_are_counted_by_reason(self) -> None:
        """As many as were skipped."""
        series = after(Skipped(MESSAGE, 4, SkipReason.OVERRUN))
        name = "ws_probe_heartbeats_skipped_total"
        assert value(series, name, mode=MESSAGE, reason="overrun") == 4
        assert value(series, name, mode=MESSAGE, reason="not_connected") == 0

    def test_an_echo_that_answers_nothing_is_counted_apart(self) -> None:
        """It is no echo of ours."""
        series = after(Unsolicited(MESSAGE, 1.0))
        assert heartbeats(series, "unsolicited") == 1
        assert heartbeats(series, "echoed") == 0

    def test_modes_are_counted_apart(self) -> None:
        """Each has books of its own."""
        series = after(Sent(Mode.PING, 1.0, 0.0), modes=BOTH)
        assert heartbeats(series, "sent", Mode.PING) == 1
        assert heartbeats(series, "sent", MESSAGE) == 0


class Shell:
    """Drives the core's accounting and tells a probe's series all that it says."""

    def __init__(self) -> None:
        self.series = new_series()
        self.beats = Heartbeats(MESSAGE, Schedule(10.0, 0.0), 12.0, Numbered(), start=0.0)
        self.now = 0.0

    def opens(self, _: float) -> None:
        """Have a connection open."""
        self.beats.opened(proven=False)

    def waits(self, seconds: float) -> None:
        """Let time pass, and beat."""
        until = self.now + seconds
        while self.beats.next_timer <= until:
            self.now = max(self.now, self.beats.next_timer)
            events, order = self.beats.poll(self.now)
            self.tell(events)
            if order is not None:
                self.series.take(self.beats.sent(order, self.now))
        self.now = until

    def echoes(self, key: float) -> None:
        """Have an echo arrive."""
        self.tell(self.beats.received(int(key), self.now))

    def loses(self, _: float) -> None:
        """Have the connection end."""
        self.tell(self.beats.lost(self.now))

    def tell(self, events: Iterable[Event]) -> None:
        """Pass events on."""
        for event in events:
            self.series.take(event)


STEPS = st.tuples(
    st.sampled_from([Shell.opens, Shell.waits, Shell.echoes, Shell.loses]), st.floats(0.0, 30.0)
)


@given(st.lists(STEPS, max_size=40))
def test_the_counters_are_the_books_of_the_core(
    steps: list[tuple[Callable[[Shell, float], None], float]],
) -> None:
    """Whatever happens."""
    shell = Shell()
    for step, amount in steps:
        step(shell, amount)
    books = shell.beats.books
    for counter in ("sent", "echoed", "missed", "aborted", "late", "unsolicited"):
        assert heartbeats(shell.series, counter) == getattr(books, counter)
    for reason in SkipReason:
        skipped = value(shell.series, families.SKIPPED.name, mode=MESSAGE, reason=reason)
        assert skipped == books.skipped[reason]
    assert value(shell.series, families.IN_FLIGHT.name, mode=MESSAGE) == books.in_flight
    row = value(shell.series, families.CONSECUTIVE_MISSED.name, mode=MESSAGE)
    assert row == shell.beats.consecutive_missed


class TestConnections:
    """What the life of connections does."""

    def test_every_attempt_is_counted(self) -> None:
        """Whatever comes of it."""
        series = after(Dialing(1.0, 1), Dialing(2.0, 2))
        assert value(series, "ws_probe_connect_attempts_total") == 2

    def test_a_failure_is_counted_by_its_reason_and_shows_its_phases(self) -> None:
        """Those that completed; the others are 0."""
        phases = {Phase.DNS: 0.02, Phase.TCP: 0.3}
        failed = DialFailed(1.0, FailureReason.TLS_VERIFY, Phase.TLS, "self-signed", phases, 1.8e9)
        series = after(Ready(0.5, 1.0, {Phase.READY: 0.7}, {}), failed)
        assert value(series, "ws_probe_connect_failures_total", reason="tls_verify") == 1
        phase = "ws_probe_connect_phase_duration_seconds"
        assert value(series, phase, phase="tcp") == 0.3
        assert value(series, phase, phase="ready") == 0

    def test_a_certificate_is_shown_even_if_it_was_refused(self) -> None:
        """That is when it matters."""
        failed = DialFailed(
            1.0, FailureReason.TLS_EXPIRED, Phase.TLS, "expired", certificate_not_after=1.6e9
        )
        name = "ws_probe_tls_certificate_not_after_timestamp_seconds"
        assert value(after(failed), name) == 1.6e9
        assert value(after(OPENED, failed), name) == 1.6e9
        no_answer = DialFailed(2.0, FailureReason.DNS, Phase.DNS, "no such name")
        assert value(after(OPENED, no_answer), name) == 1.9e9

    def test_an_open_connection_is_connected_since_then(self) -> None:
        """In Unix time."""
        series = after(OPENED)
        assert value(series, "ws_probe_connected") == 1
        assert value(series, "ws_probe_connection_start_timestamp_seconds") == EPOCH + 1.0

    @pytest.mark.parametrize("end", [CLOSED, Stopped(9.0)])
    def test_without_a_connection_nothing_is_said_about_one(self, end: Event) -> None:
        """Neither its age nor its path."""
        series = after(OPENED, PathMeasured(2.0, 0.01, 0), end)
        assert value(series, "ws_probe_connected") == 0
        assert value(series, "ws_probe_connection_start_timestamp_seconds") is None
        assert value(series, "ws_probe_tcp_rtt_seconds") is None

    def test_info_describes_the_latest_connection_alone(self) -> None:
        """The one before leaves no series behind."""
        other = Opened(20.0, "192.0.2.8", "TLSv1.2", "loop")
        series = after(OPENED, CLOSED, other)
        info = [dict(labels) for name, labels in samples(series) if name == "ws_probe_info"]
        assert [(one["address"], one["tls_version"], one["timestamping"]) for one in info] == [
            ("192.0.2.8", "TLSv1.2", "loop")
        ]

    def test_a_ready_connection_tells_how_long_it_took(self) -> None:
        """As a whole and by phase."""
        series = after(Ready(1.25, 0.35, {Phase.DNS: 0.05, Phase.TCP: 0.3}, {}))
        assert value(series, "ws_probe_connect_duration_seconds_sum") == 0.35
        assert value(series, "ws_probe_connect_phase_duration_seconds", phase="tcp") == 0.3

    def test_phases_are_told_to_the_microsecond(self) -> None:
        """What is finer is noise."""
        series = after(Ready(1.25, 0.35, {Phase.TCP: 0.1234567}, {}))
        assert value(series, "ws_probe_connect_phase_duration_seconds", phase="tcp") == 0.123457

    def test_an_end_is_counted_by_initiator_and_code(self) -> None:
        """And its lifetime observed."""
        series = after(closed(Initiator.REMOTE, 1001))
        labels = {"initiator": "remote", "code": "1001"}
        assert value(series, "ws_probe_disconnects_total", **labels) == 1
        assert value(series, "ws_probe_connection_lifetime_seconds_sum") == 10

    def test_an_end_that_nobody_expected_has_a_series_from_then_on(self) -> None:
        """One for each pair of initiator and code."""
        series = new_series()
        for _ in range(2):
            series.take(closed(Initiator.LOCAL, 1002))
        labels = {"initiator": "local", "code": "1002"}
        assert value(series, "ws_probe_disconnects_total", **labels) == 2
        assert 'code="1002"' in page(series, shown=[families.DISCONNECTS])

    @pytest.mark.parametrize(
        ("code", "label"), [(4321, "4321"), (4322, "4xxx"), (3999, "3xxx"), (9, "other")]
    )
    def test_only_listed_codes_are_shown_as_numbers(self, code: int, label: str) -> None:
        """The peer chooses the code, and may choose a new one each time."""
        series = new_series(detail=Detail(close_codes={4321}))
        series.take(closed(Initiator.REMOTE, code))
        labels = {"initiator": "remote", "code": label}
        assert value(series, "ws_probe_disconnects_total", **labels) == 1

    def test_the_path_is_measured_by_the_kernel(self) -> None:
        """The latest round trip, and all retransmits."""
        series = after(OPENED, PathMeasured(2.0, 0.01, 3), PathMeasured(3.0, 0.02, 1))
        assert value(series, "ws_probe_tcp_rtt_seconds") == 0.02
        assert value(series, "ws_probe_tcp_retransmits_total") == 4

    def test_a_path_measured_at_the_end_shows_its_retransmits_alone(self) -> None:
        """The connection is gone."""
        series = after(OPENED, CLOSED, PathMeasured(9.1, 0.5, 5))
        assert value(series, "ws_probe_tcp_rtt_seconds") is None
        assert value(series, "ws_probe_tcp_retransmits_total") == 5

    def test_the_verdict_is_the_core_s(self) -> None:
        """Until the probe is stopped."""
        up = UpChanged(1.25, up=True, cause="ready")
        assert value(after(up), "ws_probe_up") == 1
        assert value(after(up, UpChanged(9.0, up=False, cause="lost")), "ws_probe_up") == 0
        assert value(after(up, Stopped(9.0)), "ws_probe_up") == 0


class TestReadAtTheScrape:
    """What others count."""

    def test_traffic_is_read(self) -> None:
        """As it is then."""
        traffic = Traffic()
        series = ProbeSeries(identity(), traffic, Availability())
        traffic.messages, traffic.received_bytes, traffic.server_pings = 3, 456, 2
        assert value(series, "ws_probe_messages_received_total") == 3
        assert value(series, "ws_probe_received_bytes_total") == 456
        assert value(series, "ws_probe_server_pings_total") == 2

    def test_downtime_grows_between_events(self) -> None:
        """It is exact, not sampled."""
        availability = Availability()
        availability.begin(5.0)
        series = ProbeSeries(identity(), Traffic(), availability)
        assert value(series, "ws_probe_downtime_seconds_total", now=7.5) == 2.5

    def test_time_stamps_follow_the_wall_clock(self) -> None:
        """When it is set, all of them move, to the millisecond."""
        series = after(OPENED, Echoed(MESSAGE, 1.4999, 0.5))
        epoch = EPOCH + 60.0
        start = "ws_probe_connection_start_timestamp_seconds"
        assert value(series, start, epoch=epoch) == EPOCH + 61.0
        name = "ws_probe_last_echo_timestamp_seconds"
        assert value(series, name, mode=MESSAGE, epoch=epoch) == EPOCH + 61.5


class TestEvents:
    """The dispatch table."""

    QUIET = (
        Indistinct(MESSAGE, 1.0),
        Waiting(1.0, 2.0, "backoff"),
        Notice(1.0, "rate_limited"),
        Crashed(1.0, "bug"),
        Postponed(1.0, 2.0, "max_connection_age"),
    )

    @pytest.mark.parametrize("event", QUIET, ids=lambda event: type(event).__name__)
    def test_events_that_no_family_shows_change_nothing(self, event: Event) -> None:
        """But they are taken."""
        assert samples(after(event)) == samples(after())

    def test_every_event_is_known(self) -> None:
        """A new one without an entry would raise in the probe that tells it."""
        kinds = {type(event) for event in (*A_LIFE, *self.QUIET, RENEWED, Stopped(1.0))}
        assert kinds == set(get_args(Event))

    def test_every_abort_reason_is_fine(self) -> None:
        """They do not reach a label."""
        for reason in AbortReason:
            end = Disconnected(
                9.0, Initiator.LOCAL, 1006, 8.0, was_ready=True, detail="", abort_reason=reason
            )
            labels = {"initiator": "local", "code": "1006"}
            assert value(after(end), "ws_probe_disconnects_total", **labels) == 1


class TestRenewal:
    """Beats move to another connection; the probe stays connected."""

    def test_the_old_connection_ends_and_the_probe_stays_connected(self) -> None:
        new = Opened(20.0, "192.0.2.9", "TLSv1.3", "kernel")
        end = replace(closed(Initiator.LOCAL, 1000), planned=True, spare=True)
        series = after(OPENED, UpChanged(2.0, up=True, cause="ready"), new, RENEWED, end)
        assert value(series, "ws_probe_connected") == 1
        assert value(series, "ws_probe_up") == 1
        assert value(series, "ws_probe_connection_start_timestamp_seconds") == EPOCH + 20.0
        assert value(series, "ws_probe_connect_duration_seconds_count") == 1
        assert value(series, "ws_probe_connection_lifetime_seconds_count") == 1
        labels = {"initiator": "local", "code": "1000"}
        assert value(series, "ws_probe_disconnects_total", **labels) == 1
        info = {"address": "192.0.2.9", "tls_version": "TLSv1.3", "timestamping": "kernel"}
        info |= {"protocol": "talo", "endpoint": "wss://example.test:443"}
        assert value(series, "ws_probe_info", **info) == 1

    def test_values_go_on_under_other_labels(self) -> None:
        series = after(OPENED, Sent(MESSAGE, 1.0, 0.0), Echoed(MESSAGE, 1.5, 0.5), modes=BOTH)
        series.take(Sent(Mode.PING, 1.0, 0.0))
        facts = {MESSAGE: BeatFacts(20.0, 7.0)}
        endpoint = "wss://other.test:443"
        series.become(ProbeIdentity("lobby", {"game": "chess"}, "text", endpoint, facts))
        assert all(
            {("game", "chess"), ("probe", "lobby")} <= labels for _, labels in samples(series)
        )
        ours = {"mode": MESSAGE, "game": "chess"}
        assert value(series, "ws_probe_heartbeats_sent_total", **ours) == 1
        assert value(series, "ws_probe_rtt_seconds_sum", **ours) == 0.5
        assert value(series, "ws_probe_heartbeat_interval_seconds", **ours) == 20
        assert value(series, "ws_probe_connected", game="chess") == 1
        assert all(("mode", "ping") not in labels for _, labels in samples(series))
        series.take(Echoed(MESSAGE, 2.5, 0.5))
        assert value(series, "ws_probe_heartbeats_echoed_total", **ours) == 2

    def test_a_mode_that_is_new_begins_at_0(self) -> None:
        series = after(Sent(MESSAGE, 1.0, 0.0))
        series.become(identity("lobby", *BOTH))
        assert heartbeats(series, "sent") == 1
        assert heartbeats(series, "sent", Mode.PING) == 0


class TestCost:
    """Series are a cost that the user pays."""

    @pytest.mark.parametrize(("modes", "most"), [((MESSAGE,), 100), (BOTH, 130)])
    def test_a_probe_keeps_its_budget(self, modes: tuple[Mode, ...], most: int) -> None:
        """Buckets included, with everything present, and room for an end nobody expected."""
        life = [*A_LIFE, Echoed(modes[-1], 11.0, 0.1), closed(Initiator.REMOTE, 4000)]
        series = after(*life, OPENED, PathMeasured(12.0, 0.01, 0), modes=modes)
        rendered = page(series)
        assert rendered.count("\n") <= most
        assert len(samples(series)) == rendered.count("\n")
        (block,) = noted(series)
        assert all(list(block.samples(family)) for family in PROBE_FAMILIES)

    def test_a_basic_probe_has_fewer_than_40_series(self) -> None:
        """For very large fleets; it still takes every event."""
        shown = tuple(family for family in families.PROBE_FAMILIES if family.basic)
        series = new_series(detail=Detail(shown=shown))
        for event in (*A_LIFE, closed(Initiator.REMOTE, 4000)):
            series.take(event)
        assert len(samples(series)) < 40
        assert value(series, "ws_probe_rtt_seconds_count", mode=MESSAGE) == 2
