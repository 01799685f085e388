"""The wall clock is set while the monitor runs: beats go on as if nothing had happened.

The program runs under libfaketime, which tells it another time of day and leaves the monotonic
clock alone, as a step of the system's clock does.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.harness import Lab, Monitor, Scrape, TargetHandle, talo_probe
from tests.integration.harness.movements import ALWAYS, movements

INTERVAL = 0.3
HOUR = 3600.0
SPAN = 2.0
"""Seconds to watch after each step: six or seven beats."""

SET = "the wall clock was set; beats go on"


@dataclass(frozen=True)
class FakeClock:
    """What a program is told about the time: by how much its clock is off."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables under which a program lives by this clock."""
        asked = subprocess.run(
            ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"],
            check=True,
            capture_output=True,
            text=True,
        )
        return {
            "LD_PRELOAD": asked.stdout.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else Python's threads, which wait for each other by the monotonic clock, wait by
            # libfaketime's idea of it: too briefly or for seconds.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, offset: float) -> None:
        """Set the clock to so many seconds after the true time."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset:+.0f}\n")
        # The program may read at any moment, so the file is never half written.
        fresh.replace(self.file)


async def start(lab: Lab) -> tuple[FakeClock, Monitor, TargetHandle]:
    """Start the monitor by a clock that is right for now, with two probes of one target."""
    clock = FakeClock(lab.directory / "clock")
    clock.set(0)
    (target,) = await lab.targets(1)
    ping = {"interval": "300ms", "timeout": "250ms"}
    monitor = await lab.monitor(
        [talo_probe("a", target.url, ping=ping), talo_probe("b", target.url, ping=ping)],
        env=clock.environment,
    )
    await monitor.until(
        lambda scrape: all(scrape.probe(name).message.echoed > 2 for name in scrape.probes)
    )
    return clock, monitor, target


async def watch(monitor: Monitor) -> tuple[Scrape, Scrape]:
    """Return scrapes from the beginning and the end of some time in which nothing is done."""
    before = await monitor.scrape()
    after = await monitor.until(lambda scrape: scrape.began - before.ended > SPAN)
    return before, after


def assert_steady(before: Scrape, after: Scrape) -> None:
    """See that each probe beat as often as it should, and that every beat was echoed promptly."""
    for name in before.probes:
        old, new = before.probe(name), after.probe(name)
        assert movements(old, new).keys() == ALWAYS
        assert new.up
        for mode in ("message", "ping"):
            sent = new.mode(mode).sent - old.mode(mode).sent
            assert sent <= (after.ended - before.began) / INTERVAL + 1
            assert sent >= (after.began - before.ended) / INTERVAL - 1
            rtt = new.mode(mode).rtt - old.mode(mode).rtt
            assert rtt.within(0.25, float("inf")) == 0
            assert 0 <= rtt.sum <= 0.25 * rtt.count


async def test_beats_neither_stop_nor_burst_when_the_clock_is_set(lab: Lab) -> None:
    """An hour ahead, back again, an hour back, and right again: the same beats each time."""
    clock, monitor, _ = await start(lab)
    assert_steady(*await watch(monitor))
    offset = 0.0
    for number, step in enumerate((HOUR, -HOUR, -HOUR, HOUR)):
        offset += step
        at_step = await monitor.scrape()
        clock.set(offset)
        before, after = await watch(monitor)
        # What was on its way at the step, too.
        assert_steady(at_step, after)
        assert_steady(before, after)
        told = await monitor.until_logged(SET, count=number + 1)
        assert abs(told[-1]["by_seconds"] - step) < 1
        for name in after.probes:
            last_echo = after.probe(name).message.last_echo
            assert last_echo is not None
            assert abs(last_echo - (time.time() + offset)) < 5
    assert len(monitor.lines(SET)) == 4
    assert len(monitor.lines("disconnected")) == 0


async def test_waits_and_deadlines_do_not_know_the_clock(lab: Lab) -> None:
    """A clock that is set during a reconnect or a time-out makes neither longer nor shorter."""
    clock, monitor, target = await start(lab)
    before = await monitor.scrape()
    await target.put(reject_upgrade={"status": 503, "retry_after": 2})
    await target.act("abort")
    failed = await monitor.until(lambda scrape: all(scrape.probe(n).failures for n in "ab"))
    await target.heal()
    clock.set(-HOUR)
    up = await monitor.until(lambda scrape: all(scrape.probe(n).up for n in "ab"))
    for name in "ab":
        assert up.probe(name).failures == {"http_status": 1}
        assert 2 <= up.probe(name).downtime - before.probe(name).downtime <= 2 + 5
    assert up.began - failed.ended <= 2 + 5

    await target.put(silent=True)
    await monitor.until(lambda scrape: all(scrape.probe(n).message.in_flight for n in "ab"))
    clock.set(HOUR)
    silent = await monitor.until(
        lambda scrape: all(scrape.probe(n).message.missed >= 3 for n in "ab")
    )
    for name in "ab":
        moved = movements(up.probe(name), silent.probe(name))
        assert 3 <= moved["message.missed"] <= (silent.ended - up.began) / INTERVAL + 1
        assert moved.get("ping.missed", 0) == 0
