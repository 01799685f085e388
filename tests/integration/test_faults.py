"""Every fault and every action of the target, and what the monitor makes of it.

One row of the table for each. All rows run side by side: a monitor with one probe for each row,
and for each row a target of its own, so what happens in one row must not show in another. A probe
of a target without any fault is there to tell.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from monitor.target import Faults
from monitor.target.control import ACTIONS
from tests.integration.harness import (
    Histogram,
    Lab,
    ProbeView,
    Scrape,
    TargetHandle,
    Watch,
    talo_probe,
    watching,
)
from tests.integration.harness.movements import ALWAYS, movements

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEATS: Mapping[str, Any] = {
    "interval": "500ms",
    "timeout": "450ms",
    "ping": {"interval": "500ms", "timeout": "450ms"},
}

BUCKETS = ["10ms", "150ms", "450ms", "1s", "5s"]
"""Of RTTs: healthy ones are below the second, delayed ones have a bucket each."""

CALM = "no-fault"
"""The probe of a target without any."""

PATIENT = 1000
"""A threshold that no row reaches: the connection stays, and so does `up`."""

ABORT: tuple[str, Mapping[str, Any]] = ("abort", {})
"""Ends the connection, for faults that only a new one meets."""

RECONNECT = {"attempts", "message.aborted", "ping.aborted"} | {
    f"{mode}.skipped.not_connected" for mode in ("message", "ping")
}
"""What may move with any reconnect."""

DROPPED = {"disconnects.network.1006": 1}
"""What `ABORT` does."""

AMBIGUOUS = {"message.skipped.ambiguous", "disconnects.local.1000"} | RECONNECT
"""What may move while echoes without an id cannot be told apart; a new connection may settle it."""

QUICK = {"ticket": "1s", "upgrade": "1s", "ready": "1s"}


@dataclass(frozen=True)
class Story:
    """What a row's check may look at: before the fault, and after the recovery from it."""

    before: ProbeView
    after: ProbeView
    counters_before: Mapping[str, Any]
    counters_after: Mapping[str, Any]
    log: list[dict[str, Any]]

    def counted(self, name: str) -> int:
        """Return by how much one of the target's counters moved."""
        difference: int = self.counters_after[name] - self.counters_before[name]
        return difference

    @property
    def moved(self) -> dict[str, int]:
        """By how much each of the probe's counters moved."""
        return movements(self.before, self.after)

    @property
    def rtt(self) -> Histogram:
        """The round-trip times of message heartbeats from before to after."""
        return self.after.message.rtt - self.before.message.rtt

    def gained(self, name: str, **labels: str) -> float:
        """Return by how much any other sample of the probe moved."""
        return self.after.value(name, **labels) - self.before.value(name, **labels)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault or an action, and what must come of it.

    Attributes:
        faults: to turn on.
        action: to take then, with its parameters.
        until: counters and by how much each must have moved before the fault is turned off; for
            an action, afterwards.
        exactly: counters and how far they have moved in the end.
        may: counters that may move besides. All others must not.
        down: whether there is downtime; None where either may be.
        threshold: the probe's `missed_threshold`.
        timeouts: the probe's.
        check: what else must hold in the end.
    """

    faults: Mapping[str, Any] = field(default_factory=dict)
    action: tuple[str, Mapping[str, Any]] | None = None
    until: Mapping[str, int] = field(default_factory=dict)
    exactly: Mapping[str, int] = field(default_factory=dict)
    may: set[str] = field(default_factory=set)
    down: bool | None = False
    threshold: int = PATIENT
    timeouts: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Story], None] = lambda _: None


def check_single_beats_swallowed(story: Story) -> None:
    """Each connection had one heartbeat, in one frame, and that one was swallowed."""
    assert story.moved["message.missed"] == story.counted("heartbeats_swallowed")
    assert story.moved["disconnects.local.1006"] == story.moved["message.missed"]


def check_fewer_missed_than_swallowed(story: Story) -> None:
    """A heartbeat that was missed has had at least one frame swallowed."""
    assert story.moved["message.missed"] <= story.counted("heartbeats_swallowed")
    assert story.rtt.within(0.15, float("inf")) == 0, "a short RTT cannot become a long one"


def check_delay_shows_in_rtt(story: Story) -> None:
    """The delay, and no more, is in the RTT of each heartbeat of that time."""
    delayed = story.rtt.within(0.15, 0.45)
    assert delayed >= 4
    assert story.rtt.within(0.45, float("inf")) == 0


def check_no_rtt_is_modulo_the_interval(story: Story) -> None:
    """An echo that takes 0.7 s at an interval of 0.5 s is never taken for one of 0.2 s.

    One heartbeat may really take that long: the first one after the fault, whose echo waits behind
    the last one that was delayed.
    """
    assert story.rtt.within(0.15, 0.45) <= 1
    assert story.rtt.within(1.0, float("inf")) == 0


def check_each_extra_echo_is_unsolicited(story: Story) -> None:
    """Echoes are frames; what exceeds the heartbeats answers nothing."""
    extra = story.counted("echoes_sent") - story.counted("heartbeats_received")
    assert story.moved["message.unsolicited"] == extra


def check_missed_all_came_late(story: Story) -> None:
    """Nothing was lost, so each that was missed has its echo, late, with its RTT."""
    for mode in ("message", "ping"):
        missed = story.moved.get(f"{mode}.missed", 0)
        assert story.moved.get(f"{mode}.late", 0) == missed
        rtt = story.after.mode(mode).rtt - story.before.mode(mode).rtt
        # Those that came in while our own loop was held have none.
        assert rtt.count <= missed + story.moved[f"{mode}.echoed"]
        assert rtt.within(0.45, float("inf")) <= missed


def check_noise_is_received(story: Story) -> None:
    """Pushed messages are counted as messages and as nothing else."""
    received = story.gained("ws_probe_messages_received_total")
    assert received >= story.moved["message.echoed"] + 20


def check_peer_complained(error: str) -> Callable[[Story], None]:
    """See that the log has the error that the server sent, by a name of ours."""

    def check(story: Story) -> None:
        said = [line["said"] for line in story.log if line["message"] == "the peer complains"]
        assert set(said) == {f"talo_error_{error}"}

    return check


def check_waited(seconds: float) -> Callable[[Story], None]:
    """See that what `Retry-After` asks for was honoured."""

    def check(story: Story) -> None:
        failed = [line for line in story.log if line["message"] == "connect failed"]
        assert failed
        assert all(line["retry_in"] >= seconds for line in failed), failed
        assert story.after.downtime - story.before.downtime >= seconds

    return check


def check_each_open_one_failed(story: Story) -> None:
    """A connection that ended before it was usable is both a failed connect and a disconnect."""
    ends = sum(n for key, n in story.moved.items() if key.startswith("disconnects."))
    assert story.moved["failures.not_ready"] == ends - 1, "all but the one that ABORT ended"


def check_connect_took(seconds: float) -> Callable[[Story], None]:
    """See that the time until the connection was usable is told."""

    def check(story: Story) -> None:
        # On a busy machine the upgrade is read late, and the wait after it is shorter.
        took = sum(
            story.after.value("ws_probe_connect_phase_duration_seconds", phase=phase)
            for phase in ("upgrade", "ready")
        )
        assert took >= seconds

    return check


def check_server_got(code: str) -> Callable[[Story], None]:
    """See that the closing handshake was completed, with the same code."""

    def check(story: Story) -> None:
        assert story.counters_after["close_codes_received"] == {code: 1}

    return check


def check_ping_was_answered(story: Story) -> None:
    """A server's ping is counted and gets its pong."""
    assert story.counted("pongs_received") == 1


TABLE: Mapping[str, Row] = {
    # Of the echo.
    "silent, until the connection is given up": Row(
        faults={"silent": True},
        until={"message.missed": 3, "disconnects.local.1006": 1},
        may=RECONNECT,
        threshold=3,
        down=True,
    ),
    "silent, each miss ends a connection": Row(
        faults={"silent": True},
        until={"message.missed": 4, "disconnects.local.1006": 4},
        may=RECONNECT,
        threshold=1,
        down=True,
        check=check_single_beats_swallowed,
    ),
    "silent, with all patience": Row(
        faults={"silent": True}, until={"message.missed": 4}, may=AMBIGUOUS, down=None
    ),
    "delay within the timeout": Row(faults={"delay": 0.2}, check=check_delay_shows_in_rtt),
    "delay beyond the interval": Row(
        faults={"delay": 0.7},
        until={"message.missed": 4},
        may={"message.late", *AMBIGUOUS},
        down=None,
        check=check_no_rtt_is_modulo_the_interval,
    ),
    "swallow_every": Row(
        faults={"swallow_every": 3},
        until={"message.missed": 3},
        check=check_fewer_missed_than_swallowed,
    ),
    "duplicate": Row(
        faults={"duplicate": 1},
        until={"message.unsolicited": 4},
        may={"message.skipped.ambiguous"},
        check=check_each_extra_echo_is_unsolicited,
    ),
    "corrupt": Row(
        faults={"corrupt": True},
        until={"message.missed": 3, "disconnects.local.1006": 1},
        may=RECONNECT,
        threshold=3,
        down=True,
    ),
    "no_heartbeat_support": Row(
        faults={"no_heartbeat_support": True},
        until={"message.missed": 3, "disconnects.local.1006": 1},
        may=RECONNECT,
        threshold=3,
        down=True,
        check=check_peer_complained("routing_error"),
    ),
    "rate_points": Row(
        faults={"rate_points": 0},
        until={"message.missed": 1, "disconnects.remote.1008": 1},
        may=AMBIGUOUS,
        down=True,
        check=check_peer_complained("rate_limit_exceeded"),
    ),
    "mute_pongs": Row(faults={"mute_pongs": True}, until={"ping.missed": 3}),
    "mute_pongs, until the connection is given up": Row(
        faults={"mute_pongs": True},
        until={"ping.missed": 3, "disconnects.local.1006": 1},
        may=RECONNECT,
        threshold=3,
        down=True,
    ),
    "noise": Row(faults={"noise": 20}, check=check_noise_is_received),
    # Stalls.
    "freeze, with all patience": Row(
        faults={"freeze": True},
        until={"message.missed": 3, "ping.missed": 3},
        exactly={},
        may={"message.late", "ping.late", "message.skipped.ambiguous"},
        check=check_missed_all_came_late,
    ),
    "freeze, until the connection is given up": Row(
        faults={"freeze": True},
        until={"disconnects.local.1006": 1, "failures.ticket": 1},
        may={"message.missed", "ping.missed", *RECONNECT},
        threshold=3,
        timeouts=QUICK,
        down=True,
    ),
    "stall_messages, with all patience": Row(
        faults={"stall_messages": True},
        until={"message.missed": 3},
        may={"message.late", "message.skipped.ambiguous"},
        check=check_missed_all_came_late,
    ),
    "stall_messages, until the connection is given up": Row(
        faults={"stall_messages": True},
        until={"message.missed": 3, "disconnects.local.1006": 2, "failures.not_ready": 1},
        may=RECONNECT,
        threshold=3,
        timeouts=QUICK,
        down=True,
    ),
    "database_stalled": Row(
        faults={"database_stalled": True},
        action=ABORT,
        until={"failures.not_ready": 1, "disconnects.local.1006": 1, **DROPPED},
        may=RECONNECT,
        timeouts=QUICK,
        down=True,
        check=check_each_open_one_failed,
    ),
    # Of a new connection.
    "database_down": Row(
        faults={"database_down": True},
        action=ABORT,
        until={"failures.not_ready": 2, "disconnects.remote.3000": 2, **DROPPED},
        may=RECONNECT,
        down=True,
        check=check_each_open_one_failed,
    ),
    "database_down, connections that are open": Row(faults={"database_down": True}),
    "never_connected": Row(
        faults={"never_connected": True},
        action=ABORT,
        until={"failures.not_ready": 1, "disconnects.local.1006": 1, **DROPPED},
        may=RECONNECT,
        timeouts=QUICK,
        down=True,
        check=check_each_open_one_failed,
    ),
    "accept_then_close": Row(
        faults={"accept_then_close": {"code": 1013, "reason": "busy"}},
        action=ABORT,
        until={"failures.not_ready": 2, "disconnects.remote.1013": 2, **DROPPED},
        may=RECONNECT,
        down=True,
        check=check_each_open_one_failed,
    ),
    "accept_then_close with a code of its own": Row(
        faults={"accept_then_close": {"code": 4321, "reason": ""}},
        action=ABORT,
        until={"failures.not_ready": 2, "disconnects.remote.4xxx": 2, **DROPPED},
        may=RECONNECT,
        down=True,
        check=check_each_open_one_failed,
    ),
    "connect_delay": Row(
        faults={"connect_delay": 0.4},
        action=ABORT,
        until={"attempts": 1, "message.echoed": 2, **DROPPED},
        exactly={"attempts": 1},
        may=RECONNECT,
        down=True,
        check=check_connect_took(0.4),
    ),
    "refuse": Row(
        faults={"refuse": True},
        action=ABORT,
        until={"failures.ticket": 3, **DROPPED},
        may=RECONNECT,
        down=True,
    ),
    "refuse, connections that are open": Row(faults={"refuse": True}),
    "reject_upgrade": Row(
        faults={"reject_upgrade": 401},
        action=ABORT,
        until={"failures.http_status": 3, **DROPPED},
        may=RECONNECT,
        down=True,
    ),
    "reject_upgrade with Retry-After": Row(
        faults={"reject_upgrade": {"status": 503, "retry_after": 3}},
        action=ABORT,
        until={"failures.http_status": 1, **DROPPED},
        exactly={"failures.http_status": 1, "attempts": 2},
        may=RECONNECT,
        down=True,
        check=check_waited(3),
    ),
    "redirect": Row(
        faults={"redirect": "ws://127.0.0.1:9/"},
        action=ABORT,
        until={"failures.redirect": 3, **DROPPED},
        may=RECONNECT,
        down=True,
    ),
    "ticket_status": Row(
        faults={"ticket_status": 500},
        action=ABORT,
        until={"failures.ticket": 3, **DROPPED},
        may=RECONNECT,
        down=True,
    ),
    "ticket_status with Retry-After": Row(
        faults={"ticket_status": {"status": 429, "retry_after": 3}},
        action=ABORT,
        until={"failures.ticket": 1, **DROPPED},
        exactly={"failures.ticket": 1, "attempts": 2},
        may=RECONNECT,
        down=True,
        check=check_waited(3),
    ),
    # Actions.
    "close": Row(
        action=("close", {"code": 1012, "reason": "restart"}),
        until={"disconnects.remote.1012": 1, "attempts": 1},
        exactly={"disconnects.remote.1012": 1, "attempts": 1},
        may=RECONNECT,
        down=True,
        check=check_server_got("1012"),
    ),
    "close with a code of its own": Row(
        action=("close", {"code": 3456, "reason": ""}),
        until={"disconnects.remote.3xxx": 1, "attempts": 1},
        exactly={"disconnects.remote.3xxx": 1, "attempts": 1},
        may=RECONNECT,
        down=True,
        check=check_server_got("3456"),
    ),
    "reset": Row(
        action=("reset", {}),
        until={"disconnects.network.1006": 1, "attempts": 1},
        exactly={"disconnects.network.1006": 1, "attempts": 1},
        may=RECONNECT,
        down=True,
    ),
    "abort": Row(
        action=ABORT,
        until={"disconnects.network.1006": 1, "attempts": 1},
        exactly={"disconnects.network.1006": 1, "attempts": 1},
        may=RECONNECT,
        down=True,
    ),
    "revoke": Row(
        action=("revoke", {}),
        until={"disconnects.remote.3000": 1, "failures.ticket": 2},
        exactly={"disconnects.remote.3000": 1},
        may=RECONNECT,
        down=True,
    ),
    "tick": Row(
        action=("tick", {}),
        until={"server_pings": 1},
        exactly={"server_pings": 1},
        check=check_ping_was_answered,
    ),
    "push": Row(action=("push", {"text": "hello"})),
    "push of an echo": Row(
        action=("push", {"text": "v1.heartbeat"}),
        until={"message.unsolicited": 1},
        exactly={"message.unsolicited": 1},
        # Just before a beat, it makes the beat wait for quiet.
        may={"message.skipped.ambiguous"},
    ),
}


def probe_name(row: str) -> str:
    """Return the name of a row's probe."""
    return row.replace(",", "").replace(" ", "-")


class Bench:
    """One row's target and its probe in the monitor that all rows share."""

    def __init__(self, name: str, target: TargetHandle, watch: Watch) -> None:
        self.row = TABLE[name]
        self.probe = probe_name(name)
        self.target = target
        self.watch = watch

    async def play(self) -> Story:
        """Turn the fault on, wait for what must come of it, turn it off, wait for the recovery."""
        before = await self._until(_quiet, "all is well at first")
        counters_before = await self.target.counters()
        await self.target.put(**self.row.faults)
        if self.row.action is not None:
            name, parameters = self.row.action
            assert await self.target.act(name, **parameters) == 1
        moved = await self._until(lambda view: self._shows(before, view), "the fault shows")
        await self.target.heal()
        after = await self._until(
            lambda view: _quiet(view) and _beat_on(moved, view), "all is well again"
        )
        log = [line for line in self.watch.monitor.log() if line.get("probe") == self.probe]
        return Story(before, after, counters_before, await self.target.counters(), log)

    def _shows(self, before: ProbeView, now: ProbeView) -> bool:
        # Where nothing moves, the fault gets the time of some beats to do so.
        wanted = self.row.until or {"ping.echoed": 5}
        moved = movements(before, now)
        return all(moved.get(key, 0) >= count for key, count in wanted.items())

    async def _until(self, check: Callable[[ProbeView], bool], what: str) -> ProbeView:
        scrape = await self.watch.until(
            lambda scrape: check(scrape.probe(self.probe)),
            what=f"{self.probe}: {what}",
            probe=self.probe,
        )
        return scrape.probe(self.probe)


def _quiet(view: ProbeView) -> bool:
    beats = (view.message, view.ping)
    return view.up and all(beat.in_flight == 0 and beat.echoed > 1 for beat in beats)


def _beat_on(before: ProbeView, now: ProbeView) -> bool:
    return all(
        now.mode(mode).echoed >= before.mode(mode).echoed + 3 for mode in ("message", "ping")
    )


@dataclass(frozen=True)
class Performance:
    """All rows being played, and the probe that none of them may touch."""

    watch: Watch
    calm_target: TargetHandle
    calm_before: ProbeView
    stories: Mapping[str, asyncio.Task[Story]]

    async def calm(self) -> ProbeView:
        """Return the calm probe's figures when all rows have been played."""
        await asyncio.wait(self.stories.values())
        scrape = await self.watch.until(lambda scrape: _quiet(scrape.probe(CALM)))
        return scrape.probe(CALM)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def performance(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Performance]:
    """Play all rows side by side."""
    lab = Lab(tmp_path_factory.mktemp("faults"))
    try:
        calm, *targets = await lab.targets(len(TABLE) + 1, tick_period=3600.0)
        probes = [talo_probe(CALM, calm.url, **BEATS)] + [
            talo_probe(
                probe_name(name),
                target.url,
                missed_threshold=row.threshold,
                timeouts=dict(row.timeouts),
                **BEATS,
            )
            for (name, row), target in zip(TABLE.items(), targets, strict=True)
        ]
        monitor = await lab.monitor(probes, metrics={"rtt_buckets": BUCKETS})
        async with watching(monitor) as watch:
            before = await watch.until(lambda scrape: _quiet(scrape.probe(CALM)))
            stories = {
                name: asyncio.create_task(Bench(name, target, watch).play())
                for name, target in zip(TABLE, targets, strict=True)
            }
            yield Performance(watch, calm, before.probe(CALM), stories)
            for story in stories.values():
                story.cancel()
    finally:
        lab.close()


@pytest.mark.parametrize("name", TABLE)
async def test_a_fault_moves_its_own_counters_and_no_others(
    performance: Performance, name: str
) -> None:
    """What must move has moved, by as much as it must; nothing else has; the probe recovers."""
    row = TABLE[name]
    story = await performance.stories[name]
    moved = story.moved
    expected = {**row.until, **row.exactly}
    assert moved.keys() >= row.until.keys()
    assert moved.keys() - expected.keys() - row.may <= ALWAYS, moved
    assert {key: moved.get(key, 0) for key in row.exactly} == row.exactly
    if row.down is not None:
        assert (story.after.downtime > story.before.downtime) is row.down
    row.check(story)


async def test_what_happens_to_one_target_shows_in_no_other_probe(
    performance: Performance,
) -> None:
    """A probe of a target without any fault has only ever been echoed."""
    calm = await performance.calm()
    assert movements(performance.calm_before, calm).keys() == ALWAYS
    assert calm.downtime == performance.calm_before.downtime


async def test_a_monitor_and_a_healthy_target_count_the_same(performance: Performance) -> None:
    """Each heartbeat that was sent was received, and each echo that was sent arrived."""
    await performance.calm()
    earlier = await performance.calm_target.counters()
    calm = await performance.calm()
    later = await performance.calm_target.counters()
    for beats, received in ((calm.message, "heartbeats_received"), (calm.ping, "pings_received")):
        assert earlier[received] <= beats.sent <= later[received]
        assert earlier[received] <= beats.echoed + beats.in_flight <= later[received]


async def test_no_series_is_lost_or_born_twice(performance: Performance) -> None:
    """After all that, each probe has the same series as the calm one, but for close codes."""
    await performance.calm()
    scrape = await performance.watch.until(lambda _: True)
    counts = {name: series_of(scrape, name) for name in scrape.probes}
    assert set(counts.values()) == {counts[CALM]}


OF_AN_EVENT = ("ws_probe_disconnects", "ws_probe_info", "ws_probe_tcp_rtt")
"""Families with labels of an event, or without a value until the next look at the path."""


def series_of(scrape: Scrape, probe: str) -> frozenset[str]:
    """Return the names and labels of a probe's series, as far as all probes have the same."""
    label = f'probe="{probe}"'
    lines = [line.rpartition(" ")[0] for line in scrape.text.splitlines()]
    return frozenset(
        line.replace(label, "")
        for line in lines
        if label in line and not line.startswith(OF_AN_EVENT)
    )


async def test_every_fault_and_every_action_has_a_row() -> None:
    """A fault that the target learns is added here."""
    faults = {fault for row in TABLE.values() for fault in row.faults}
    assert faults == {field.name for field in dataclasses.fields(Faults)}
    assert {row.action[0] for row in TABLE.values() if row.action} == set(ACTIONS)
