"""The fleet: a reload touches what changed, and a bug costs the probe that has it, no other one."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from monitor.config import ProbeConfig
from monitor.core.events import (
    AbortReason,
    Crashed,
    DialFailed,
    Disconnected,
    Echoed,
    Mode,
    PathMeasured,
    Ready,
    Sent,
    Stopped,
    UpChanged,
    Waiting,
)
from monitor.core.lifecycle import State
from monitor.dialects.talo import Talo
from monitor.dialects.text import Text
from monitor.probing import fleet, plans
from monitor.probing.fleet import PATHS
from tests.component.net.conftest import Serve
from tests.component.net.peers import Peer, close_frame
from tests.component.probing.stage import (
    CONNECTED,
    QUICK,
    TEXT_WITH_ID,
    Stage,
    config,
    echoes,
    swallows,
    talo,
)


class TestReload:
    """Which probes run."""

    async def test_a_probe_that_did_not_change_is_not_touched(
        self, serve: Serve, stage: Stage
    ) -> None:
        server = serve(echoes)
        first, second = (config(TEXT_WITH_ID, server.port, name) for name in "ab")
        record = await stage.run(first, second)
        await record.until(Echoed)
        before = stage.probe("a")
        again = config(TEXT_WITH_ID, server.port, "a")
        assert await stage.run(again) is record
        assert stage.probe("a") is before
        echoed = record.count(Echoed)
        await record.until(Echoed, echoed + 2)
        assert record.story() == ["Dialing", "Opened", "Ready", "UpChanged"]

    async def test_a_probe_that_is_gone_says_goodbye_and_is_forgotten(
        self, serve: Serve, stage: Stage
    ) -> None:
        codes: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            codes.append(peer.read_close())
            peer.send(close_frame(1000))

        stays = config(TEXT_WITH_ID, serve(echoes).port, "stays")
        goes = config(TEXT_WITH_ID, serve(script).port, "goes")
        await stage.run(stays, goes)
        record = stage.records["goes"]
        await record.until(Sent)
        await stage.run(stays)
        assert codes == [1000]
        assert record.forgotten
        assert list(stage.fleet.probes) == ["stays"]
        (ended,) = record.of(Disconnected)
        assert (ended.abort_reason, ended.planned) == (AbortReason.REMOVED, True)
        told = len(record.events)
        assert isinstance(record.events[-1], Stopped)
        await stage.records["stays"].until(Echoed, stage.records["stays"].count(Echoed) + 3)
        assert len(record.events) == told, "a probe that is gone still beats"

    async def test_a_probe_that_changed_is_renewed_and_keeps_its_record(
        self, serve: Serve, stage: Stage
    ) -> None:
        server = serve(echoes)
        record = await stage.run(config(TEXT_WITH_ID, server.port))
        await record.until(Echoed)
        before = stage.probe()
        changed = config(f"{TEXT_WITH_ID}, missed_threshold: 7", server.port)
        assert await stage.run(changed) is record
        await record.until(Disconnected)
        assert record.changes == [changed]
        assert stage.probe() is before
        assert record.story() == [
            *("Dialing", "Opened", "Ready", "UpChanged"),
            *("Dialing", "Opened", "Renewed", "Disconnected"),
        ]

    async def test_probes_of_one_name_and_interval_beat_in_the_same_slots_after_a_reload(
        self, serve: Serve, stage: Stage
    ) -> None:
        server = serve(echoes)
        record = await stage.run(config(TEXT_WITH_ID, server.port))
        await record.until(Sent)
        before = stage.probe().heartbeats[Mode.MESSAGE].next_due
        await stage.run(config(f"{TEXT_WITH_ID}, missed_threshold: 7", server.port))
        after = stage.probe().heartbeats[Mode.MESSAGE].next_due
        slots = (after - before) / 0.05
        assert slots == pytest.approx(round(slots), abs=1e-6)


def breaks(*_: object, **__: object) -> Any:
    """A bug, with a text that nobody must see."""
    raise RuntimeError("hidden")


class TestBugs:
    """A bug in our own code."""

    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Restart a probe that crashed at once."""
        monkeypatch.setattr(fleet, "RESTART_DELAY", 0.02)

    @pytest.fixture
    def plant(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], None]]:
        """Return what plants a bug into the dialect of the probe `bad`, and returns its removal."""

        def plant(method: str) -> Callable[[], None]:
            really = plans.make_dialect
            fixed = threading.Event()

            def make_dialect(config: ProbeConfig) -> Any:
                dialect = really(config)
                if config.name == "bad" and not fixed.is_set():
                    setattr(dialect, method, breaks)
                return dialect

            monkeypatch.setattr(plans, "make_dialect", make_dialect)
            return fixed.set

        return plant

    @pytest.mark.parametrize("method", ["read", "heartbeat", "opening"])
    async def test_it_costs_one_probe_which_is_restarted_and_no_other(
        self, serve: Serve, stage: Stage, plant: Callable[[str], Callable[[], None]], method: str
    ) -> None:
        fix = plant(method)
        server = serve(echoes)
        rest = f"{TEXT_WITH_ID}, {QUICK}"
        await stage.run(*(config(rest, server.port, name) for name in ("good", "bad")))
        healthy, broken = stage.records["good"], stage.records["bad"]
        crashed = await broken.until(Crashed, 2)
        assert crashed.error.startswith("RuntimeError at breaks:")
        assert "hidden" not in crashed.error
        assert all(end.abort_reason is AbortReason.CRASHED for end in broken.of(Disconnected))
        fix()
        ready = broken.count(Ready)
        await broken.until(Ready, ready + 1)
        await broken.until(Echoed)
        assert stage.probe("bad").up
        assert healthy.story() == ["Dialing", "Opened", "Ready", "UpChanged"]

    async def test_one_that_comes_with_a_time_out_is_found_as_well(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without an id one beat waits for another's time-out, and is sent from its timer."""
        sent = 0
        really = Text.heartbeat

        def heartbeat(dialect: Text, key: int) -> Any:
            nonlocal sent
            sent += 1
            return breaks() if sent == 2 else really(dialect, key)

        monkeypatch.setattr(Text, "heartbeat", heartbeat)
        rest = "protocol: text, text: {send: x}, heartbeat: {interval: 50ms, timeout: 50ms}"
        rest = f"{rest}, {QUICK}, missed_threshold: 9"
        record = await stage.run(config(rest, serve(swallows).port))
        await record.until(Crashed)
        await record.until(Ready, 2)

    async def test_one_in_the_opening_is_no_failure_of_the_target(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WS_TEST_FLEET_KEY", "a.b.c")
        monkeypatch.setattr(Talo, "read", breaks)

        def after(peer: Peer) -> None:
            peer.send(CONNECTED)
            peer.wait_end()

        rest = "protocol: talo, ticket: {api_key: {env: WS_TEST_FLEET_KEY}}"
        record = await stage.run(config(f"{rest}, {QUICK}", serve(talo(after)).port))
        await record.until(Crashed, 2)
        assert record.count(DialFailed) == 0
        assert record.of(Disconnected)[0].abort_reason is AbortReason.CRASHED

    async def test_one_before_there_is_a_connection_is_no_failure_of_the_target(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really = plans.make_dial_plan
        monkeypatch.setattr(plans, "make_dial_plan", breaks)
        record = await stage.run(config(TEXT_WITH_ID, serve(echoes).port))
        await record.until(Crashed, 3)
        assert record.count(DialFailed) == 0
        assert stage.probe().state is State.WAITING
        monkeypatch.setattr(plans, "make_dial_plan", really)
        await record.until(Echoed)

    async def test_a_probe_that_crashed_is_down_until_it_is_ready_again(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(config(f"{TEXT_WITH_ID}, {QUICK}", serve(echoes).port))
        await record.until(Echoed)
        stage.probe()._broke(RuntimeError("hidden"))
        await record.until(UpChanged, 3)
        assert [change.up for change in record.of(UpChanged)] == [True, False, True]
        assert record.count(Crashed) == 1

    async def test_a_probe_that_waits_to_be_restarted_can_be_stopped(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fleet, "RESTART_DELAY", 3600.0)
        monkeypatch.setattr(plans, "make_dial_plan", breaks)
        record = await stage.run(config(TEXT_WITH_ID, serve(echoes).port))
        await record.until(Crashed)
        async with asyncio.timeout(10):
            await stage.fleet.stop()
        assert isinstance(record.events[-1], Stopped)

    async def test_a_bug_while_it_waits_to_reconnect_costs_no_more_than_a_restart(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(
            config(f"{TEXT_WITH_ID}, {QUICK}", serve(lambda peer: peer.reset(), echoes).port)
        )
        await record.until(Waiting)
        stage.probe()._broke(RuntimeError("hidden"))
        await record.until(Crashed)
        await record.until(Echoed)


async def test_paths_are_looked_at_in_turns_that_come_round(serve: Serve, stage: Stage) -> None:
    """Or ten thousand of them would hold the loop at once."""
    port = serve(echoes).port
    names = [f"p{number}" for number in range(5)]
    await stage.run(*(config(TEXT_WITH_ID, port, name) for name in names))
    for name in names:
        await stage.records[name].until(Echoed)
    assert stage.fleet.started
    for turn in range(3):
        stage.fleet.measure_paths(100.0 + turn * PATHS.interval, turns=3)
        told = [stage.records[name].count(PathMeasured) for name in names]
        assert max(told) == 1
    assert told == [1] * 5
