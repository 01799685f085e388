"""Processes that are stopped: the target, which is its fault, and the monitor, which is not.

SIGSTOP is what a frozen virtual machine, a swapping host or a debugger do: the kernel goes on to
take bytes in and to acknowledge them, and nobody reads. All scenarios run side by side, since they
mostly wait; each has processes of its own.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from monitor.config import load_config
from monitor.core.events import Mode
from monitor.probing.plans import make_schedule
from tests.integration.harness import Lab, Monitor, Scrape, talo_probe
from tests.integration.harness.movements import ALWAYS, movements

pytestmark = pytest.mark.asyncio(loop_scope="module")

T = TypeVar("T")

AWAY = "the monitor itself was away; what it did not send is skipped, not missed"

BUCKETS = ["10ms", "150ms", "750ms", "1s", "5s"]

INTERVAL = 0.8
TIMEOUT = 0.75
"""Seconds; a busy machine may take most of that, beside the 0.3 s that each echo is made to."""

EXACT = 0.1
"""Seconds after its deadline within which the issue wants a miss to be booked."""

SOON = 2.0
"""Seconds for what should take none, on a busy machine."""

PROBES = 12
"""In each scenario, each with a phase of its own, so that at any moment some wait for an echo."""


def names() -> list[str]:
    """Return the names of a scenario's probes."""
    return [f"p{number}" for number in range(PROBES)]


def moment(line: Mapping[str, Any]) -> float:
    """Return the wall-clock second of a log line: the monitor's own time stamp."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


async def ready(lab: Lab, url: str, **keys: Any) -> Monitor:
    """Start a monitor with probes of one target, and wait until each has been echoed twice."""
    monitor = await lab.monitor(
        [talo_probe(name, url, **keys) for name in names()], metrics={"rtt_buckets": BUCKETS}
    )
    await monitor.until(
        lambda scrape: all(
            scrape.probe(name).mode(mode).echoed >= 2
            for name in names()
            for mode in scrape.probe(name).modes
        )
    )
    return monitor


def worst_lag(before: Scrape, after: Scrape) -> float:
    """Return the bucket of the longest delay of the monitor's own loop between two scrapes.

    A machine that gives the monitor no time for so long cannot expect more of it.
    """
    lag = after.histogram("ws_monitor_loop_lag_seconds") - before.histogram(
        "ws_monitor_loop_lag_seconds"
    )
    return min(bound for bound, count in lag.buckets.items() if count == lag.count)


# The target is stopped.


@dataclass(frozen=True)
class TargetStopped:
    """What came of stopping a target: scrapes around it, and times of the wall clock."""

    monitor: Monitor
    before: Scrape
    after: Scrape
    stopped: float
    went_on: float
    counters: Mapping[str, Any]
    deadlines: Mapping[str, list[float]]
    """When, by the schedule alone, the deadlines of each probe fell after the stop."""

    @property
    def slack(self) -> float:
        """How late anything that should happen at once may be."""
        lag = worst_lag(self.before, self.after)
        return EXACT + (lag if lag > EXACT else 0.0)

    def lines(self, probe: str, message: str) -> list[dict[str, Any]]:
        """Return the probe's log lines with this message that came after the stop."""
        found = self.monitor.lines(message, probe=probe)
        return [line for line in found if moment(line) > self.stopped]


async def stop_the_target(lab: Lab) -> TargetStopped:
    """Stop a target until every connection was given up and attempts fail; let it go on."""
    (target,) = await lab.targets(1, tick_period=3600.0)
    monitor = await ready(
        lab,
        target.url,
        interval="1s",
        timeout="600ms",
        timeouts={"ticket": "1s"},
        reconnect={"base": "500ms", "max": "1s"},
    )
    before = await monitor.scrape()
    target.process.signal(signal.SIGSTOP)
    stopped = time.time()
    await monitor.until(lambda scrape: all(scrape.probe(n).failures for n in names()), every=0.5)
    target.process.signal(signal.SIGCONT)
    went_on = time.time()
    after = await monitor.until(
        lambda scrape: (
            all(scrape.probe(name).up for name in names())
            and all(scrape.probe(name).message.in_flight == 0 for name in names())
        )
    )
    return TargetStopped(
        monitor,
        before,
        after,
        stopped,
        went_on,
        await target.counters(),
        schedule_deadlines(monitor, since=stopped, timeout=0.6),
    )


def schedule_deadlines(monitor: Monitor, since: float, timeout: float) -> dict[str, list[float]]:
    """Return when echoes to the first beats since a moment are missed, in wall-clock seconds."""
    to_wall = time.time() - time.monotonic()
    found = {}
    for config in load_config(monitor.config).probes:
        schedule = make_schedule(config, Mode.MESSAGE)
        slot = schedule.slot_at_or_after(since - to_wall)
        found[config.name] = [schedule.due(slot + k) + to_wall + timeout for k in range(3)]
    return found


@pytest.mark.parametrize("probe", names())
class TestTargetStopped:
    """The misses are the target's, and so is what follows."""

    async def test_each_miss_is_booked_when_its_deadline_passes(
        self, target_stopped: TargetStopped, probe: str
    ) -> None:
        missed = target_stopped.lines(probe, "heartbeat missed")
        # The beat before may have been in flight when the target stopped.
        missed = [line for line in missed if moment(line) > target_stopped.stopped + 0.6]
        assert len(missed) >= 2
        for line, deadline in zip(missed, target_stopped.deadlines[probe], strict=False):
            assert -0.001 <= moment(line) - deadline <= target_stopped.slack

    async def test_a_connection_without_hope_is_aborted_at_once(
        self, target_stopped: TargetStopped, probe: str
    ) -> None:
        moved = movements(target_stopped.before.probe(probe), target_stopped.after.probe(probe))
        assert moved["message.missed"] == 3
        ends = {key: count for key, count in moved.items() if key.startswith("disconnects.")}
        assert ends == {"disconnects.local.1006": 1}
        assert set(target_stopped.after.probe(probe).failures) == {"ticket"}
        (end,) = target_stopped.lines(probe, "disconnected")
        last_miss = target_stopped.lines(probe, "heartbeat missed")[-1]
        assert end["because"] == "missed"
        assert moment(end) - moment(last_miss) <= target_stopped.slack
        # A closing handshake would have reached the target when it went on.
        assert target_stopped.counters["close_codes_received"] == {}

    async def test_it_is_up_again_within_its_backoff(
        self, target_stopped: TargetStopped, probe: str
    ) -> None:
        failed = [
            line
            for line in target_stopped.lines(probe, "connect failed")
            if moment(line) < target_stopped.went_on + SOON
        ]
        up = target_stopped.lines(probe, "up")[-1]
        assert all(line["retry_in"] <= 1 for line in failed)
        due = max(target_stopped.went_on, moment(failed[-1]) + failed[-1]["retry_in"])
        assert moment(up) - due <= SOON
        assert target_stopped.after.probe(probe).downtime > 0


# The monitor is stopped.


@dataclass(frozen=True)
class MonitorStopped:
    """What came of stopping the monitor: scrapes before and after, and for how long it was."""

    monitor: Monitor
    before: Scrape
    after: Scrape
    seconds: float


async def stop_the_monitor(
    lab: Lab, *, rounds: int, seconds: float, backlog: int = 0, room: bool = True
) -> MonitorStopped:
    """Stop the monitor so many times for so long, with echoes under way to it.

    Echoes take 300 ms, so that a third of the probes wait for one at any moment. While the
    monitor is stopped, pushed messages and a ping follow the echo into the same kernel buffer.
    The target's patience is in our hands: it runs its liveness tick once in each stop. Twice, and
    it would be right to cut connections, for no sign of life can come from a stopped process.

    With a `backlog`, so many bytes come before the echo, more than one read takes. Without `room`
    the kernel does not take them either, and the echo waits at the other end.
    """
    (target,) = await lab.targets(1, tick_period=3600.0)
    monitor = await ready(
        lab,
        target.url,
        interval="800ms",
        timeout="750ms",
        ping={"interval": "800ms", "timeout": "750ms"},
    )
    await target.put(delay=0.3)
    for _ in range(20 if backlog and room else 0):
        # The kernel makes its buffer as large as the connection has been seen to need.
        await target.act("push", text="x" * backlog)
    before = await all_echoed_again(monitor)
    total = 0.0
    for number in range(rounds):
        # Another moment of the interval each time, and in the middle of some work of its own.
        await asyncio.sleep(0.2 + INTERVAL * number / rounds)
        await monitor.scrape()
        began = time.monotonic()
        monitor.pause()
        if backlog:
            await target.act("push", text="x" * backlog)
        await asyncio.sleep(seconds / 2)
        await target.act("push", text="hello")
        await target.act("tick")
        await asyncio.sleep(seconds / 2)
        monitor.resume()
        total += time.monotonic() - began
        await monitor.until_logged(AWAY, count=number + 1)
    return MonitorStopped(monitor, before, await all_echoed_again(monitor), total)


async def all_echoed_again(monitor: Monitor) -> Scrape:
    """Wait for the third echo from now on for each probe and mode."""
    now = await monitor.scrape()
    return await monitor.until(
        lambda scrape: all(
            scrape.probe(name).mode(mode).echoed >= now.probe(name).mode(mode).echoed + 3
            for name in names()
            for mode in ("message", "ping")
        )
    )


class MonitorStops:
    """What must hold however long the monitor was stopped, and how often."""

    story: str
    rounds: int
    doubts: int = 1
    """How many echoes of each mode may be without an RTT after one stop."""

    @pytest.fixture
    def stopped(self, request: pytest.FixtureRequest) -> Awaitable[MonitorStopped]:
        """Return what came of it."""
        scenarios: Scenarios = request.getfixturevalue("scenarios")
        return scenarios.stories[self.story]

    async def test_no_echo_that_had_arrived_is_missed(
        self, stopped: Awaitable[MonitorStopped]
    ) -> None:
        story = await stopped
        for name in names():
            moved = movements(story.before.probe(name), story.after.probe(name))
            allowed = {"message.skipped.overrun", "ping.skipped.overrun", "server_pings"}
            assert moved.keys() <= ALWAYS | allowed, f"{name}: {moved}"
            assert moved["server_pings"] == self.rounds

    async def test_no_probe_goes_down(self, stopped: Awaitable[MonitorStopped]) -> None:
        story = await stopped
        for name in names():
            before, after = story.before.probe(name), story.after.probe(name)
            assert after.up
            assert after.downtime == before.downtime
            assert after.started == before.started

    async def test_what_was_due_meanwhile_is_skipped(
        self, stopped: Awaitable[MonitorStopped]
    ) -> None:
        story = await stopped
        due = story.seconds / INTERVAL
        for name in names():
            for mode in ("message", "ping"):
                before = story.before.probe(name).mode(mode)
                after = story.after.probe(name).mode(mode)
                skipped = after.skipped["overrun"] - before.skipped.get("overrun", 0)
                # On waking up, the newest beat may not be too late yet.
                assert due - 3 * self.rounds <= skipped <= due + 2 * self.rounds
                # Nothing bursts to catch up.
                running = story.after.ended - story.before.began - story.seconds
                assert after.sent - before.sent <= running / INTERVAL + 2 * self.rounds + 2

    async def test_no_round_trip_is_as_long_as_the_stop(
        self, stopped: Awaitable[MonitorStopped]
    ) -> None:
        story = await stopped
        for name in names():
            before, after = story.before.probe(name), story.after.probe(name)
            message = after.message.rtt - before.message.rtt
            echoed = after.message.echoed - before.message.echoed
            assert message.within(0, 0.15) == 0, "each echo takes 0.3 s at least"
            assert message.within(TIMEOUT, float("inf")) == 0
            # One that shares its time stamp with what came after it has no RTT.
            unknown = self.rounds * self.doubts
            assert echoed - unknown <= message.count <= echoed
            assert 0.3 * message.count <= message.sum <= TIMEOUT * message.count
            ping = after.ping.rtt - before.ping.rtt
            assert ping.within(TIMEOUT, float("inf")) == 0
            pongs = after.ping.echoed - before.ping.echoed
            assert pongs - unknown <= ping.count <= pongs

    async def test_the_log_and_a_counter_tell_of_the_absence(
        self, stopped: Awaitable[MonitorStopped]
    ) -> None:
        story = await stopped
        away = story.monitor.lines(AWAY)
        assert len(away) == self.rounds
        told = sum(line["seconds"] for line in away)
        assert story.seconds - 0.5 * self.rounds <= told <= story.seconds + SOON * self.rounds
        stalled = "ws_monitor_stalled_seconds_total"
        counted = story.after.value(stalled) - story.before.value(stalled)
        assert counted == pytest.approx(told, abs=0.01 * self.rounds)


class TestMonitorStoppedForHalfAMinute(MonitorStops):
    """A monitor that was away for 30 s."""

    story = "for half a minute"
    rounds = 1


class TestMonitorStoppedAgainAndAgain(MonitorStops):
    """A monitor that was away for 3 s, many times, at different moments of the interval."""

    story = "again and again"
    rounds = 6


class TestMonitorStoppedWithABacklog(MonitorStops):
    """A monitor that was away for 3 s while much more than the echoes came in."""

    story = "with a backlog"
    rounds = 3
    doubts = 3  # while what was held up comes in, nothing has an arrival of its own


class TestMonitorStoppedWithAFullBuffer(MonitorStops):
    """A monitor that was away for 3 s while more came in than the kernel takes.

    The echo is still at the other end when the monitor goes on: it comes once there is room. That
    there was none is the monitor's own doing.
    """

    story = "with a full buffer"
    rounds = 3
    doubts = 3


async def stop_the_monitor_as_it_connects(lab: Lab) -> MonitorStopped:
    """Stop the monitor for longer than a connect may take, while `v1.connected` is on its way."""
    (target,) = await lab.targets(1, tick_period=3600.0)
    monitor = await ready(lab, target.url, timeouts={"ready": "1s"})
    await target.put(connect_delay=0.6)
    before = await monitor.scrape()
    await target.act("abort")
    await monitor.until(
        lambda scrape: all(scrape.probe(name).attempts == 2 for name in names()), every=0.02
    )
    began = time.monotonic()
    monitor.pause()
    await asyncio.sleep(3)
    monitor.resume()
    seconds = time.monotonic() - began
    after = await monitor.until(lambda scrape: all(scrape.probe(name).up for name in names()))
    return MonitorStopped(monitor, before, after, seconds)


async def test_a_stop_while_it_connects_is_no_failed_connect(scenarios: Scenarios) -> None:
    """What the server sent in time is read first; only then does the deadline count."""
    story = await scenarios.stories["as it connects"]
    for name in names():
        after = story.after.probe(name)
        assert after.attempts == 2
        assert after.failures == {}
        assert after.disconnects == {("network", "1006"): 1}


# All of them at once.


@dataclass(frozen=True)
class Scenarios:
    """The scenarios, running."""

    target_stopped: asyncio.Task[TargetStopped]
    stories: Mapping[str, asyncio.Task[MonitorStopped]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scenarios(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scenarios]:
    """Start all scenarios, each in a lab of its own."""
    labs: list[Lab] = []

    def play(name: str, scenario: Callable[[Lab], Any]) -> asyncio.Task[Any]:
        labs.append(Lab(tmp_path_factory.mktemp(name)))
        return asyncio.create_task(scenario(labs[-1]))

    half_a_minute = play("long", lambda lab: stop_the_monitor(lab, rounds=1, seconds=30))
    again_and_again = play("short", lambda lab: stop_the_monitor(lab, rounds=6, seconds=3))
    backlog = play(
        "backlog", lambda lab: stop_the_monitor(lab, rounds=3, seconds=3, backlog=80_000)
    )
    full = play(
        "full",
        lambda lab: stop_the_monitor(lab, rounds=3, seconds=3, backlog=400_000, room=False),
    )
    connecting = play("connecting", stop_the_monitor_as_it_connects)
    stories = {
        "for half a minute": half_a_minute,
        "again and again": again_and_again,
        "with a backlog": backlog,
        "with a full buffer": full,
        "as it connects": connecting,
    }
    target_stopped = play("target", stop_the_target)
    try:
        yield Scenarios(target_stopped, stories)
    finally:
        for task in (target_stopped, *stories.values()):
            task.cancel()
        for lab in labs:
            lab.close()


@pytest_asyncio.fixture(loop_scope="module")
async def target_stopped(scenarios: Scenarios) -> TargetStopped:
    """Return what came of stopping the target."""
    return await scenarios.target_stopped
