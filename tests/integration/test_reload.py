"""Reloads and renewals with the real program: what changes, and above all what does not.

`WS_MONITOR_TEST_RELOADS` sets how many reloads there are under load, 200 unless it says otherwise.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.harness import (
    Lab,
    Monitor,
    ProbeView,
    Scrape,
    TargetHandle,
    config_of,
    probe,
    talo_probe,
    wait_until,
)
from tests.integration.harness.monitor import KEY

_log = logging.getLogger(__name__)

RELOADS = int(os.environ.get("WS_MONITOR_TEST_RELOADS", "200"))

WARM_UP = RELOADS // 10
"""So many reloads come before memory and threads are measured for the first time."""

BAD_EVERY = 20

OUR_CLOSE = ("local", "1000")

GROWTH = 8 * 1024
"""KiB that the process may have more at the end: the allocator's, not a reload's."""

POOL = 6
"""Threads that the loop's pool may come to, on a machine with two cores."""

BEATS = {"text": {"send": "x {id}"}, "heartbeat": {"interval": "250ms", "timeout": "10s"}}


def still(port: int, number: int) -> dict[str, Any]:
    """A probe that no reload changes."""
    return probe(f"still{number}", f"ws://127.0.0.1:{port}/", "text", **BEATS)


def busy(port: int, number: int, version: int) -> dict[str, Any]:
    """A probe that changes with its version: now its threshold, now its labels."""
    url = f"ws://127.0.0.1:{port}/"
    change: dict[str, Any] = {"missed_threshold": 3 + version % 7}
    if version % 2:
        change["labels"] = {"version": str(version % 5)}
    return probe(f"busy{number}", url, "text", **BEATS, **change)


def guest(port: int, version: int) -> dict[str, Any]:
    """A probe that comes and goes."""
    return probe(f"guest{version % 3}", f"ws://127.0.0.1:{port}/", "text", **BEATS)


def config_at(port: int, version: int) -> dict[str, Any]:
    """The config of one version: it differs from the one before in one busy probe and one guest."""
    versions = [(version + 4 - number) // 5 for number in range(5)]
    probes = [
        *(still(port, number) for number in range(10)),
        *(busy(port, number, versions[number]) for number in range(5)),
        guest(port, version),
    ]
    return config_of(probes)


async def echo_server(lab: Lab) -> int:
    """Start a server that echoes; return its port."""
    server = lab.module("tests.integration.harness.scripted_server", name="echoes")
    port: int = json.loads(await server.first_line())["port"]
    return port


class Resources(NamedTuple):
    """What a process has: open files, threads, resident memory in KiB."""

    files: int
    threads: int
    memory: int


def resources(pid: int) -> Resources:
    """Count what a process has now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Resources(files, int(status["Threads"]), int(status["VmRSS"].split()[0]))


async def balanced(monitor: Monitor) -> Scrape:
    """Scrape, and see that all books balance, whatever comes and goes."""
    began = time.monotonic()
    answer = await monitor.get("/metrics")
    scrape = Scrape(answer.body, began, time.monotonic())
    for name in scrape.probes:
        view = scrape.probe(name)
        for mode in view.modes:
            view.mode(mode).assert_balanced()
    return scrape


@asynccontextmanager
async def scraped(monitor: Monitor) -> AsyncIterator[None]:
    """Scrape all the while."""

    async def scrape() -> None:
        while True:
            await balanced(monitor)
            await asyncio.sleep(0.25)

    task = asyncio.create_task(scrape())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()


def ours(view: ProbeView) -> int:
    """Return how many connections we closed as planned."""
    return view.disconnects.get(OUR_CLOSE, 0)


class TestUnderLoad:
    """Many reloads, one after another, while all probes beat and somebody scrapes."""

    @pytest.mark.timeout(60 + RELOADS)
    async def test_nothing_leaks_and_no_beat_is_lost(self, lab: Lab) -> None:
        port = await echo_server(lab)
        monitor = await lab.monitor_from(
            lab.write(config_at(port, 0)), options=["--enable-reload", "--no-watch-config"]
        )
        before = await monitor.until(
            lambda scrape: all(scrape.probe(name).up for name in scrape.probes), what="all up"
        )
        calm = warm = resources(monitor.pid)
        began = time.monotonic()
        async with scraped(monitor):
            for version in range(1, RELOADS + 1):
                if version == WARM_UP:
                    warm = resources(monitor.pid)
                await self.reload(monitor, port, version)
        seconds = time.monotonic() - began
        settled = await self.settled(monitor)
        after = resources(monitor.pid)
        _log.info("%d reloads in %.1f s", RELOADS, seconds)
        _log.info("calm %s, warm %s, after %s", calm, warm, after)
        assert abs(after.files - calm.files) <= 2
        assert after.threads <= calm.threads + POOL
        assert after.memory <= warm.memory + GROWTH
        assert {name for name in settled.probes if name.startswith("guest")} == {
            f"guest{RELOADS % 3}"
        }
        for name in before.probes:
            if name.startswith("still"):
                self.see_untouched(before.probe(name), settled.probe(name))
            elif name.startswith("busy"):
                self.see_renewed(before.probe(name), settled.probe(name))

    async def reload(self, monitor: Monitor, port: int, version: int) -> None:
        """Have one config applied, and now and then a bad one refused before."""
        if version % BAD_EVERY == 0:
            monitor.config.write_text("probes: [{name: still0}]\n")
            answer = await monitor.post_reload()
            assert answer.status == 500
            assert "still0" in answer.body or "probes[0]" in answer.body
        monitor.config.write_text(json.dumps(config_at(port, version)))
        answer = await monitor.post_reload()
        assert (answer.status, answer.body) == (200, "reloaded\n")

    async def settled(self, monitor: Monitor) -> Scrape:
        """Wait until every renewal is over: no more connections are made or closed."""
        last: list[Scrape] = [await balanced(monitor)]

        async def look() -> bool:
            before, last[:] = last[0], [await balanced(monitor)]
            views = [(before.probe(name), last[0].probe(name)) for name in last[0].probes]
            return all(
                now.up and (was.attempts, was.disconnects) == (now.attempts, now.disconnects)
                for was, now in views
            )

        await wait_until(look, what="all connections stay", every=1.0)
        return last[0]

    def see_untouched(self, before: ProbeView, after: ProbeView) -> None:
        assert (after.attempts, after.started, after.downtime) == (
            1,
            before.started,
            before.downtime,
        )
        assert not any(after.disconnects.values())
        self.see_no_beat_lost(before, after)

    def see_renewed(self, before: ProbeView, after: ProbeView) -> None:
        renewals = sum(after.disconnects.values())
        assert ours(after) == renewals > 0
        assert after.downtime == before.downtime, "the probe was down during a renewal"
        assert not any(after.failures.values())
        self.see_no_beat_lost(before, after)

    def see_no_beat_lost(self, before: ProbeView, after: ProbeView) -> None:
        beats = after.message
        assert (beats.missed, beats.aborted, beats.unsolicited) == (0, 0, 0)
        assert beats.sent > before.message.sent
        skipped, was = dict(beats.skipped), dict(before.message.skipped)
        # A busy machine may keep the monitor itself from a beat; nothing else may.
        for each in (skipped, was):
            each.pop("overrun", None)
        assert skipped == was


class TestRenewals:
    """Where something happens in the middle."""

    async def test_a_connection_that_is_killed_meanwhile_is_one_drop(self, lab: Lab) -> None:
        target = await lab.target()
        section = talo_probe("a", target.url, ping={"interval": "300ms", "timeout": "20s"})
        monitor = await lab.monitor([section])
        before = await monitor.until(lambda scrape: scrape.probe("a").message.echoed > 2)
        await target.put(database_stalled=True)
        await monitor.reload(config_of([{**section, "missed_threshold": 7}]))
        await monitor.until(lambda scrape: scrape.probe("a").attempts == 2)
        sent = (await monitor.scrape()).probe("a").ping.sent
        await monitor.until(lambda scrape: scrape.probe("a").ping.sent > sent + 2)
        assert (await monitor.scrape()).probe("a").up, "the old connection beats on"
        await target.act("reset")
        await monitor.until(lambda scrape: not scrape.probe("a").up)
        await target.heal()
        after = await monitor.until(lambda scrape: scrape.probe("a").up)
        view = after.probe("a")
        assert view.downtime > before.probe("a").downtime
        assert view.message.echoed >= before.probe("a").message.echoed, "counters go on"
        assert ours(view) == 0

    async def test_one_that_cannot_be_made_leaves_the_old_connection_in_use(self, lab: Lab) -> None:
        target = await lab.target()
        monitor = await lab.monitor([talo_probe("a", target.url, max_connection_age="2s")])
        await monitor.until(lambda scrape: scrape.probe("a").up)
        await target.put(refuse=True)
        down = await monitor.until(
            lambda scrape: scrape.probe("a").failures.get("tcp_refused", 0) + tickets(scrape) >= 3
        )
        view = down.probe("a")
        assert view.up
        assert monitor.lines("renewal failed, the connection in use stays")
        await target.heal()
        closed = ours(view)
        after = await monitor.until(lambda scrape: ours(scrape.probe("a")) > closed)
        assert after.probe("a").downtime == view.downtime
        assert sum(after.probe("a").disconnects.values()) == ours(after.probe("a"))

    async def test_each_takes_one_ticket(self, lab: Lab) -> None:
        (target,) = await lab.targets(1)
        monitor = await lab.monitor([talo_probe("a", target.url, max_connection_age="2s")])

        async def between_two() -> bool:
            view = (await monitor.scrape()).probe("a")
            sold: int = (await target.counters())["tickets_issued"]
            assert view.message.aborted == 0
            return view.attempts == 1 + ours(view) == sold >= 3

        await wait_until(between_two, what="a ticket for each connection")

    async def test_credentials_roll_without_a_gap(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new one arrives before the target takes it, and after it did."""
        monkeypatch.setenv("WS_RELOAD_TEST_KEY", KEY)
        target = await lab.target("--api-key-env", "WS_RELOAD_TEST_KEY")
        secret = lab.directory / "api-key"
        secret.write_text(KEY)
        keys: dict[str, Any] = {"ticket": {"api_key": {"file": str(secret)}}}
        section = {**talo_probe("a", target.url, max_connection_age="2s"), **keys}
        monitor = await lab.monitor([section])
        before = await monitor.until(lambda scrape: scrape.probe("a").message.echoed > 1)
        secret.write_text("not.yet.valid")
        refused = await monitor.until(lambda scrape: tickets(scrape) >= 2)
        assert refused.probe("a").up
        secret.write_text(KEY)
        closed = ours(refused.probe("a"))
        await monitor.until(lambda scrape: ours(scrape.probe("a")) > closed)
        await monitor.reload(config_of([talo_probe("a", target.url)]))
        await monitor.until_logged("renewed", because="the config changed")
        after = await monitor.scrape()
        assert after.probe("a").up
        assert after.probe("a").downtime == before.probe("a").downtime
        assert after.probe("a").message.aborted == 0


def tickets(scrape: Scrape) -> int:
    """How many tickets the probe was refused."""
    return scrape.probe("a").failures.get("ticket", 0)


class TestTheFile:
    """It is followed by itself."""

    async def test_a_change_is_applied_and_a_bad_one_is_not(self, lab: Lab) -> None:
        target = await lab.target()
        monitor = await lab.monitor([talo_probe("a", target.url)])
        await monitor.until(lambda scrape: scrape.probe("a").up)
        two = config_of([talo_probe("a", target.url), talo_probe("b", target.url)])
        monitor.config.write_text(json.dumps(two))
        await monitor.until_logged("config applied", cause="the file changed", probes=2)
        monitor.config.write_text("probes: nonsense")
        await monitor.until_logged("config refused, the last good one stays")
        good = "ws_monitor_config_last_reload_successful"
        scrape = await monitor.until(lambda scrape: scrape.value(good) == 0)
        assert scrape.probes == ["a", "b"]
        monitor.config.unlink()
        monitor.config.write_text(json.dumps(config_of([talo_probe("a", target.url)])))
        await monitor.until(lambda scrape: scrape.value(good) == 1)
        after = await monitor.until(lambda scrape: scrape.probes == ["a"])
        assert after.probe("a").attempts == 1

    async def test_a_config_map_is_swapped(self, lab: Lab) -> None:
        target = await lab.target()
        volume = lab.directory / "config"
        volume.mkdir()
        path = mount(volume, target, "a")
        monitor = await lab.monitor_from(path)
        await monitor.until(lambda scrape: scrape.probe("a").up)
        mount(volume, target, "a", "b")
        await monitor.until_logged("config applied", cause="the file changed", probes=2)

    async def test_it_is_not_where_that_is_switched_off(self, lab: Lab) -> None:
        target = await lab.target()
        section = talo_probe("a", target.url)
        monitor = await lab.monitor([section], options=["--no-watch-config"])
        followed = await lab.monitor([section])
        for each in (monitor, followed):
            each.config.write_text(json.dumps(config_of([])))
        await followed.until_logged("config applied", cause="the file changed", probes=0)
        assert (await monitor.scrape()).probes == ["a"]
        assert (await monitor.post_reload()).status == 404


def mount(volume: Path, target: TargetHandle, *names: str) -> Path:
    """Lay out a ConfigMap's volume as the kubelet does, or swap it for another version."""
    version = volume / f"..version-{len(names)}"
    version.mkdir()
    config = config_of([talo_probe(name, target.url) for name in names])
    (version / "config.yaml").write_text(json.dumps(config))
    link = volume / "..data_tmp"
    link.symlink_to(version.name)
    link.replace(volume / "..data")
    path = volume / "config.yaml"
    if not path.is_symlink():
        path.symlink_to("..data/config.yaml")
    return path
