"""The program as a whole: how it starts, what signals do, how it reloads, how it ends."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.harness import (
    WS_MONITOR,
    Lab,
    Monitor,
    Scrape,
    TargetHandle,
    config_of,
    free_ports,
    talo_probe,
    wait_until,
)
from tests.integration.harness.program import ROOT

STOPS_WITHIN = 5.0
"""Seconds within which the issue wants the monitor to have ended after a signal."""

PROBE_FAMILIES = {
    "ws_probe_up": "gauge",
    "ws_probe_connected": "gauge",
    "ws_probe_info": "gauge",
    "ws_probe_connect_attempts_total": "counter",
    "ws_probe_connect_failures_total": "counter",
    "ws_probe_connect_duration_seconds": "histogram",
    "ws_probe_connection_lifetime_seconds": "histogram",
    "ws_probe_disconnects_total": "counter",
    "ws_probe_downtime_seconds_total": "counter",
    "ws_probe_messages_received_total": "counter",
    "ws_probe_received_bytes_total": "counter",
    "ws_probe_server_pings_total": "counter",
    "ws_probe_tcp_retransmits_total": "counter",
    "ws_probe_heartbeats_sent_total": "counter",
    "ws_probe_heartbeats_echoed_total": "counter",
    "ws_probe_heartbeats_missed_total": "counter",
    "ws_probe_heartbeats_aborted_total": "counter",
    "ws_probe_heartbeats_late_total": "counter",
    "ws_probe_heartbeats_unsolicited_total": "counter",
    "ws_probe_heartbeats_skipped_total": "counter",
    "ws_probe_heartbeats_in_flight": "gauge",
    "ws_probe_consecutive_missed": "gauge",
    "ws_probe_rtt_seconds": "histogram",
    "ws_probe_heartbeat_interval_seconds": "gauge",
    "ws_probe_heartbeat_timeout_seconds": "gauge",
}
"""What there is of a probe before anything happened to it."""

NOT_ZERO = {
    "ws_probe_info",
    "ws_probe_connect_attempts_total",  # the first one has begun
    "ws_probe_downtime_seconds_total",  # and runs since
    "ws_probe_heartbeats_skipped_total",  # a beat may have fallen due meanwhile
    "ws_probe_heartbeat_interval_seconds",
    "ws_probe_heartbeat_timeout_seconds",
}


@pytest.fixture
def silent_listener() -> Iterator[int]:
    """Return a port that accepts TCP connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def ready_monitor(lab: Lab, target: TargetHandle, count: int = 1) -> Monitor:
    """Start a monitor with so many probes of a target, and wait until all are up."""
    monitor = await lab.monitor([talo_probe(f"p{n}", target.url) for n in range(count)])
    await monitor.until(lambda scrape: all(scrape.probe(name).up for name in scrape.probes))
    return monitor


def back_after(attempt: int, scrape: Scrape) -> bool:
    """Whether the probe is up by a later attempt to connect."""
    return scrape.probe("p0").attempts > attempt and scrape.probe("p0").up


class TestStart:
    """From the command to the first echo."""

    async def test_the_shipped_config_shows_an_echo_within_ten_seconds(self, lab: Lab) -> None:
        config = (ROOT / "config.yaml").read_text()
        for shipped, free in zip((10440, 10441, 10442), free_ports(3), strict=True):
            config = config.replace(str(shipped), str(free))
        began = time.monotonic()
        monitor = await lab.monitor_from(lab.write(config))
        scrape = await monitor.until(
            lambda scrape: (
                scrape.probe("embedded").message.echoed and scrape.probe("embedded").ping.echoed
            )
        )
        assert scrape.ended - began < 10
        assert scrape.probe("embedded").up
        assert (await monitor.get("/-/healthy")).status == 200
        assert (await monitor.get("/-/ready")).status == 200
        assert "1</b> of 1 probe up" in (await monitor.get("/")).body

    async def test_every_series_is_there_at_zero_from_the_first_scrape(
        self, lab: Lab, silent_listener: int
    ) -> None:
        url = f"ws://127.0.0.1:{silent_listener}/"
        monitor = await lab.monitor(
            [talo_probe("a", url, ping={"interval": "1s", "timeout": "1s"})]
        )
        scrape = await monitor.scrape()
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape.text, re.MULTILINE))
        assert {name: types.get(name) for name in PROBE_FAMILIES} == PROBE_FAMILIES
        for name, kind in PROBE_FAMILIES.items():
            parts = [f"{name}_count", f"{name}_sum"] if kind == "histogram" else [name]
            for part in parts:
                values = [value for labels, value in scrape.samples(part)]
                assert values, f"{part} has no sample"
                assert name in NOT_ZERO or not any(values), f"{part}: {values}"

    @pytest.mark.parametrize("taken", ["web", "embedded_target"])
    async def test_a_port_that_is_taken_is_one_line_and_exit_code_3(
        self, lab: Lab, taken: str, silent_listener: int
    ) -> None:
        config = lab.write(config_of([], **{taken: {"listen": f"127.0.0.1:{silent_listener}"}}))
        program = lab.program(WS_MONITOR, "run", "--config", str(config))
        assert await program.wait() == 3
        assert program.out == ""
        assert len(program.err.splitlines()) == 1, program.err
        assert f"127.0.0.1:{silent_listener}" in program.err
        assert "address already in use" in program.err

    async def test_a_bad_config_is_told_by_file_and_line_with_exit_code_2(self, lab: Lab) -> None:
        config = lab.write(
            "probes:\n- name: a\n  url: ws://127.0.0.1:1/\n  protocol: pong\n  intervall: 3s\n"
        )
        program = lab.program(WS_MONITOR, "run", "--config", str(config))
        assert await program.wait() == 2
        lines = program.err.splitlines()
        for line, number, path in zip(
            sorted(lines), (4, 5), ("protocol", "intervall"), strict=True
        ):
            assert line.startswith(f"{config}:{number}: probes[0].{path}: "), program.err

    async def test_a_config_that_is_not_there_is_one_line_and_exit_code_2(self, lab: Lab) -> None:
        program = lab.program(WS_MONITOR, "run", "--config", str(lab.directory / "none.yaml"))
        assert await program.wait() == 2
        assert len(program.err.splitlines()) == 1, program.err
        assert "none.yaml" in program.err


class TestStop:
    """SIGTERM and SIGINT."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_a_signal_ends_it_in_time_and_every_target_gets_1001(
        self, lab: Lab, number: signal.Signals
    ) -> None:
        target = await lab.target()
        monitor = await ready_monitor(lab, target, count=5)
        monitor.signal(number)
        assert await monitor.wait(within=STOPS_WITHIN) == 0
        counters = await target.counters()
        assert counters["close_codes_received"] == {"1001": 5}
        assert counters["connections_open"] == 0
        assert {line["because"] for line in monitor.lines("disconnected")} == {"shutdown"}

    async def test_neither_a_frozen_target_nor_a_second_signal_changes_that(self, lab: Lab) -> None:
        frozen, well, refusing = await lab.targets(3)
        probes = [talo_probe(f"p{n}", each.url) for n, each in enumerate((frozen, well, refusing))]
        monitor = await lab.monitor(probes)
        await monitor.until(lambda scrape: all(scrape.probe(name).up for name in scrape.probes))
        await frozen.put(freeze=True)
        await refusing.put(refuse=True)
        await refusing.act("abort")
        await monitor.until(lambda scrape: scrape.probe("p2").failures)
        monitor.signal(signal.SIGTERM)
        await monitor.until_logged("stopping")
        monitor.signal(signal.SIGTERM)
        monitor.signal(signal.SIGINT)
        assert await monitor.wait(within=STOPS_WITHIN) == 0
        assert (await well.counters())["close_codes_received"] == {"1001": 1}


class TestReload:
    """SIGHUP."""

    async def test_an_unchanged_probe_keeps_its_connection_and_its_counters(self, lab: Lab) -> None:
        stays, goes, changes, comes = await lab.targets(4)
        before = [
            talo_probe("stays", stays.url),
            talo_probe("goes", goes.url),
            talo_probe("changes", changes.url),
        ]
        after = [
            talo_probe("comes", comes.url),
            talo_probe("stays", stays.url),
            talo_probe("changes", changes.url, timeout="200ms"),
        ]
        monitor = await lab.monitor(before)
        old = await monitor.until(
            lambda scrape: all(scrape.probe(name).message.echoed > 2 for name in scrape.probes)
        )
        await monitor.reload(config_of(after))
        new = await monitor.until(lambda scrape: scrape.probe("comes").message.echoed > 0)

        assert new.probes == ["changes", "comes", "stays"]
        assert 'probe="goes"' not in new.text
        assert new.value("ws_monitor_probes") == 3
        assert new.probe("stays").started == old.probe("stays").started
        assert new.probe("stays").attempts == 1
        assert new.probe("stays").message.sent >= old.probe("stays").message.sent
        assert new.probe("stays").message.skipped == old.probe("stays").message.skipped
        assert new.probe("stays").disconnects == {}
        assert new.value("ws_probe_heartbeat_timeout_seconds", probe="changes") == 0.2
        assert (await stays.counters())["connections_total"] == 1
        assert (await changes.counters())["close_codes_received"] == {"1000": 1}
        gone = await goes.counters()
        assert gone["close_codes_received"] == {"1000": 1}
        assert gone["connections_open"] == 0

    async def test_beats_neither_stop_nor_burst_across_many_reloads(self, lab: Lab) -> None:
        (target,) = await lab.targets(1)
        config = config_of([talo_probe("a", target.url)])
        monitor = await ready_monitor(lab, target)
        await monitor.reload(config)
        old = await monitor.until(lambda scrape: scrape.probe("a").message.echoed)
        for _ in range(5):
            await monitor.reload(config)
        new = await monitor.until(
            lambda scrape: scrape.began - old.ended > 3, what="three seconds", within=30
        )
        beats = new.probe("a").message.sent - old.probe("a").message.sent
        assert abs(beats - (new.began - old.ended) / 0.3) <= 2
        assert (await target.counters())["connections_total"] == 2

    async def test_a_bad_config_changes_nothing_and_says_so(self, lab: Lab) -> None:
        target = await lab.target()
        monitor = await ready_monitor(lab, target)
        old = await monitor.scrape()
        assert old.value("ws_monitor_config_last_reload_successful") == 1

        await monitor.reload("probes: [{name: a}]\n", accepted=False)
        scrape = await monitor.scrape()
        assert scrape.value("ws_monitor_config_last_reload_successful") == 0
        stamp = "ws_monitor_config_last_reload_success_timestamp_seconds"
        assert scrape.value(stamp) == old.value(stamp)
        assert scrape.probes == ["p0"]
        assert scrape.probe("p0").started == old.probe("p0").started
        refused = monitor.lines("config refused, the last good one stays")
        assert all(f"{monitor.config}:1: " in line["problem"] for line in refused)
        assert (await monitor.get("/-/ready")).status == 200

        await monitor.reload(config_of([talo_probe("p0", target.url)]))
        scrape = await monitor.scrape()
        assert scrape.value("ws_monitor_config_last_reload_successful") == 1
        assert scrape.value(stamp) > old.value(stamp)
        assert scrape.probe("p0").started == old.probe("p0").started


class TestLog:
    """What it writes while it runs."""

    async def test_each_change_of_state_is_one_json_line(self, lab: Lab) -> None:
        (target,) = await lab.targets(1)
        monitor = await ready_monitor(lab, target)
        await target.act("abort")
        scrape = await monitor.until(
            lambda scrape: scrape.probe("p0").attempts == 2 and scrape.probe("p0").up
        )
        await monitor.until(
            lambda later: later.probe("p0").message.echoed > scrape.probe("p0").message.echoed + 3
        )
        monitor.signal(signal.SIGTERM)
        await monitor.wait()
        story = [line["message"] for line in monitor.log() if line.get("probe") == "p0"]
        assert story == [
            "ready",
            "up",
            "down",
            "disconnected",
            "ready",
            "up",
            "disconnected",
            "no longer watched",
        ]
        assert all({"level", "timestamp", "message"} <= line.keys() for line in monitor.log())
        assert monitor.out == ""

    async def test_a_target_that_changes_all_the_time_does_not_fill_the_log(self, lab: Lab) -> None:
        (target,) = await lab.targets(1)
        monitor = await ready_monitor(lab, target)
        for attempt in range(1, 12):
            await target.act("abort")
            await monitor.until(partial(back_after, attempt))
        lines = [line for line in monitor.log() if line.get("probe") == "p0"]
        assert len(lines) <= 14, lines
        counters = await wait_until(target.counters)
        assert counters["connections_total"] == 12
