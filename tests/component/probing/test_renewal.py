"""A renewal leaves no scar: the new connection is usable before beats leave the old one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from monitor.config import ProbeConfig
from monitor.core.events import (
    Aborted,
    AbortReason,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Indistinct,
    Initiator,
    Missed,
    Mode,
    Opened,
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
from monitor.core.lifecycle import State
from monitor.probing import plans
from tests.component.net.conftest import Serve
from tests.component.net.peers import CLOSE, TEXT, Peer, close_frame, frame
from tests.component.probing.stage import (
    CONNECTED,
    QUICK,
    Record,
    Stage,
    config,
    echoes,
    heartbeats,
    talo,
)

WITH_ID = "protocol: text, text: {send: 'x {id}'}, heartbeat: {interval: 50ms, timeout: 5s}"
WITHOUT_ID = "protocol: text, text: {send: x}, heartbeat: {interval: 500ms}"
BOTH_MODES = f"{WITH_ID}, ping: {{interval: 50ms, timeout: 5s}}"
SLOW_BEATS = "protocol: text, text: {send: 'x {id}'}, heartbeat: {interval: 250ms, timeout: 20s}"


def unscarred(record: Record) -> None:
    """Nothing happened that a renewal must not cause."""
    assert [change.up for change in record.of(UpChanged)] == [True]
    for harm in (Aborted, Missed, Unsolicited, Indistinct, Waiting):
        assert not record.of(harm), record.of(harm)
    # What fell due before there was any connection was skipped, and so is what we are too late for.
    harmless = (SkipReason.NOT_CONNECTED, SkipReason.OVERRUN)
    since = next(n for n, event in enumerate(record.events) if isinstance(event, Ready))
    for n, event in enumerate(record.events):
        if isinstance(event, Skipped):
            assert event.reason in harmless[n > since :]


class Answers:
    """A peer that answers nothing until it is told to, and then everything."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.goodbye: int | None = None
        self.ended = threading.Event()

    def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        peer.upgrade()
        (payload,) = heartbeats(peer, 1)
        self.asked.set()
        assert self.may_answer.wait(20)
        opcode = TEXT
        while opcode != CLOSE:
            peer.send(frame(TEXT, payload))
            opcode, payload = peer.read_frame()
        self.goodbye = int.from_bytes(payload[:2])
        peer.send(close_frame(self.goodbye))
        self.ended.set()


class TestNoScar:
    """What nobody must notice."""

    @pytest.mark.parametrize("kind", [WITH_ID, WITHOUT_ID, BOTH_MODES])
    async def test_a_changed_probe_goes_on_without_a_lost_beat(
        self, serve: Serve, stage: Stage, kind: str
    ) -> None:
        server = serve(echoes)
        record = await stage.run(config(kind, server.port))
        await record.until(Echoed, 2)
        for number in range(1, 6):
            changed = config(f"{kind}, missed_threshold: {number + 3}", server.port)
            await stage.run(changed)
            await record.until(Disconnected, number)
        await record.until(Echoed, record.count(Echoed) + 3)
        unscarred(record)
        assert record.count(Dialing) == 1 + record.count(Renewed) == 6
        for end in record.of(Disconnected):
            assert (end.initiator, end.code) == (Initiator.LOCAL, 1000)
            assert (end.abort_reason, end.planned, end.spare) == (AbortReason.RENEWED, True, True)
        assert stage.probe().state is State.READY

    async def test_what_is_in_flight_settles_before_the_old_connection_is_closed(
        self, serve: Serve, stage: Stage
    ) -> None:
        first = Answers()
        server = serve(first, echoes)
        record = await stage.run(config(SLOW_BEATS, server.port))
        await asyncio.to_thread(first.asked.wait)
        await stage.run(config(f"{SLOW_BEATS}, missed_threshold: 7", server.port))
        await record.until(Renewed)
        await record.until(Echoed, 3)
        assert first.goodbye is None, "closed although a heartbeat is in flight there"
        first.may_answer.set()
        await asyncio.to_thread(first.ended.wait)
        assert first.goodbye == 1000
        await record.until(Disconnected)

    async def test_a_heartbeat_that_nobody_answers_there_is_missed_at_its_deadline(
        self, serve: Serve, stage: Stage
    ) -> None:
        def swallows_one(peer: Peer) -> None:
            peer.upgrade()
            heartbeats(peer, 1)
            swallowed.set()
            peer.read_close()
            peer.send(close_frame(1000))

        swallowed = threading.Event()
        server = serve(swallows_one, echoes)
        rest = "protocol: text, text: {send: x}, heartbeat: {interval: 600ms, timeout: 500ms}"
        rest = f"{rest}, missed_threshold: 1"
        record = await stage.run(config(rest, server.port))
        await asyncio.to_thread(swallowed.wait)
        await stage.run(config(f"{rest}, labels: {{a: b}}", server.port))
        missed = await record.until(Missed)
        assert missed.on_connection == 0, "it is no fault of the connection in use"
        await record.until(Echoed)
        assert record.count(Disconnected) == record.count(Renewed) == 1
        assert record.count(Missed) == 1

    async def test_the_old_one_beats_until_the_new_one_is_usable(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WS_TEST_RENEWAL_KEY", "a.b.c")
        greet = threading.Event()
        waits = threading.Event()

        def beats(peer: Peer) -> None:
            peer.send(CONNECTED)
            while True:
                (payload,) = heartbeats(peer, 1)
                peer.send(frame(TEXT, payload))

        def greets_late(peer: Peer) -> None:
            waits.set()
            assert greet.wait(20)
            beats(peer)

        rest = (
            "protocol: talo, ticket: {api_key: {env: WS_TEST_RENEWAL_KEY}}, "
            "heartbeat: {interval: 250ms}"
        )
        server = serve(talo(beats), talo(beats), talo(greets_late), talo(greets_late))
        record = await stage.run(config(rest, server.port))
        await record.until(Echoed)
        await stage.run(config(f"{rest}, missed_threshold: 7", server.port))
        await asyncio.to_thread(waits.wait)
        echoed = record.count(Echoed)
        await record.until(Echoed, echoed + 2)
        assert stage.probe().state is State.OVERLAPPING
        assert record.count(Renewed) == 0
        greet.set()
        await record.until(Renewed)
        await record.until(Disconnected)
        unscarred(record)
        assert server.connections == 4, "each connection takes one ticket"

    async def test_the_change_applies_from_then_on(self, serve: Serve, stage: Stage) -> None:
        server = serve(echoes)
        record = await stage.run(config(BOTH_MODES, server.port))
        await record.until(Echoed, 3)
        probe = stage.probe()
        books = probe.heartbeats[Mode.MESSAGE]
        changed = config(WITH_ID.replace("50ms", "80ms"), server.port)
        await stage.run(changed)
        await record.until(Disconnected)
        assert record.changes == [changed]
        assert probe.heartbeats == {Mode.MESSAGE: books}
        assert books._schedule == plans.make_schedule(changed, Mode.MESSAGE)
        sent = record.count(Sent)
        await record.until(Sent, sent + 3)
        assert all(beat.mode is Mode.MESSAGE for beat in record.of(Sent)[sent:])
        await stage.run(config(BOTH_MODES, server.port))
        await record.until(Disconnected, 2)
        sent = record.count(Sent)
        await record.until(Sent, sent + 4)
        assert {beat.mode for beat in record.of(Sent)[sent:]} == {Mode.MESSAGE, Mode.PING}
        unscarred(record)

    async def test_many_leave_no_task_behind(self, serve: Serve, stage: Stage) -> None:
        server = serve(echoes)
        record = await stage.run(config(WITH_ID, server.port))
        await record.until(Echoed)
        tasks = len(asyncio.all_tasks())
        for number in range(50):
            await stage.run(config(f"{WITH_ID}, missed_threshold: {number % 7 + 4}", server.port))
            await record.until(Disconnected, number + 1)
        while stage.probe()._closing:
            await asyncio.wait(stage.probe()._closing)
        assert len(asyncio.all_tasks()) == tasks
        unscarred(record)

    async def test_a_change_that_is_taken_back_changes_nothing(
        self, serve: Serve, stage: Stage
    ) -> None:
        server = serve(echoes)
        first = config(WITH_ID, server.port)
        record = await stage.run(first)
        await record.until(Echoed)
        await stage.run(config(f"{WITH_ID}, missed_threshold: 7", server.port))
        await stage.run(first)
        await record.until(Echoed, record.count(Echoed) + 3)
        assert record.count(Renewed) == 0
        assert not record.changes
        assert stage.probe().state is State.READY


class TestAge:
    """`max_connection_age`."""

    @staticmethod
    def spread(limit: str) -> set[float]:
        """Return the ages at which a hundred probes are renewed."""
        rest = f"{WITH_ID}, max_connection_age: {limit}"
        ages = {plans.renewal_age(config(rest, 80, f"p{number}")) for number in range(100)}
        return {age for age in ages if age is not None}

    async def test_an_old_connection_is_renewed_again_and_again(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(config(f"{WITH_ID}, max_connection_age: 1s", serve(echoes).port))
        await record.until(Renewed, 2)
        await record.until(Disconnected, 2)
        unscarred(record)
        for end in record.of(Disconnected):
            assert end.lifetime > 0.8
        assert {renewed.cause for renewed in record.of(Renewed)} == {"max_connection_age"}

    def test_a_fleet_is_not_renewed_at_once(self) -> None:
        ages = self.spread("10m")
        assert len(ages) == 100
        assert 480 <= min(ages) < 490
        assert 590 < max(ages) <= 600
        assert self.spread("10m") == ages

    def test_by_default_none_is(self) -> None:
        assert plans.renewal_age(config(WITH_ID, 80)) is None


class TestTrouble:
    """What can go wrong on the way."""

    async def test_where_the_new_one_cannot_be_made_the_old_one_stays_and_it_is_tried_again(
        self, serve: Serve, stage: Stage
    ) -> None:
        server = serve(echoes, lambda peer: peer.reset(), lambda peer: peer.reset(), echoes)
        rest = f"{WITH_ID}, {QUICK}"
        record = await stage.run(config(rest, server.port))
        await record.until(Echoed)
        await stage.run(config(f"{rest}, missed_threshold: 7", server.port))
        await record.until(Renewed)
        await record.until(Disconnected)
        assert record.count(Postponed) == record.count(DialFailed) == 2
        unscarred(record)

    async def test_the_old_config_applies_for_as_long(self, serve: Serve, stage: Stage) -> None:
        server = serve(echoes)
        record = await stage.run(config(f"{WITH_ID}, {QUICK}", server.port))
        await record.until(Echoed)
        elsewhere = serve(lambda peer: peer.reset())
        await stage.run(config(f"{WITH_ID}, {QUICK}", elsewhere.port))
        await record.until(Postponed, 3)
        assert stage.probe().up
        assert not record.changes
        unscarred(record)

    async def test_a_new_one_that_ends_before_it_is_usable_is_a_failed_connect(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WS_TEST_RENEWAL_KEY", "a.b.c")

        def beats(peer: Peer) -> None:
            peer.send(CONNECTED)
            while True:
                (payload,) = heartbeats(peer, 1)
                peer.send(frame(TEXT, payload))

        def refuses(peer: Peer) -> None:
            peer.send(close_frame(3000))
            peer.read_close()

        rest = (
            "protocol: talo, ticket: {api_key: {env: WS_TEST_RENEWAL_KEY}}, "
            f"heartbeat: {{interval: 250ms}}, {QUICK}"
        )
        server = serve(talo(beats), talo(beats), talo(refuses), talo(refuses), talo(beats))
        record = await stage.run(config(rest, server.port))
        await record.until(Echoed)
        await stage.run(config(f"{rest}, missed_threshold: 7", server.port))
        await record.until(Renewed)
        refused = record.of(Disconnected)[0]
        assert (refused.code, refused.was_ready, refused.spare) == (3000, False, True)
        assert record.count(Postponed) == 1
        unscarred(record)

    async def test_an_old_one_that_is_lost_meanwhile_is_a_drop_and_the_new_one_takes_its_place(
        self, serve: Serve, stage: Stage
    ) -> None:
        drop, go_on = threading.Event(), threading.Event()

        def dies(peer: Peer) -> None:
            peer.upgrade()
            (payload,) = heartbeats(peer, 1)
            peer.send(frame(TEXT, payload))
            assert drop.wait(20)
            peer.reset()

        def slow(peer: Peer) -> None:
            peer.read_request()
            drop.set()
            assert go_on.wait(20)
            echoes(peer)

        server = serve(dies, slow)
        record = await stage.run(config(WITH_ID, server.port))
        await record.until(Echoed)
        changed = config(f"{WITH_ID}, missed_threshold: 7", server.port)
        await stage.run(changed)
        end = await record.until(Disconnected)
        assert (end.planned, end.spare) == (False, False)
        assert stage.probe().state is State.DIALING
        go_on.set()
        await record.until(Ready, 2)
        assert record.count(Renewed) == 0
        assert record.count(Dialing) == 2, "the attempt under way is not thrown away"
        assert [change.up for change in record.of(UpChanged)] == [True, False, True]
        assert record.changes == [changed]

    async def test_a_change_while_it_waits_to_reconnect_is_tried_at_once(
        self, serve: Serve, stage: Stage
    ) -> None:
        patient = "reconnect: {base: 1h, max: 1h}"
        record = await stage.run(
            config(f"{WITH_ID}, {patient}", serve(lambda peer: peer.reset()).port)
        )
        await record.until(Waiting)
        changed = config(f"{WITH_ID}, {patient}", serve(echoes).port)
        await stage.run(changed)
        assert record.changes in ([], [changed])
        await record.until(Echoed)
        assert record.changes == [changed]
        assert record.count(Disconnected) == 0

    async def test_a_mode_that_is_taken_away_while_the_former_connection_settles_is_heard_no_more(
        self, serve: Serve, stage: Stage
    ) -> None:
        drop = threading.Event()

        def dies(peer: Peer) -> None:
            peer.upgrade()
            assert drop.wait(20)
            peer.reset()

        first = Answers()
        rest = f"{SLOW_BEATS}, reconnect: {{base: 1h, max: 1h}}"
        both = f"{rest}, ping: {{interval: 250ms, timeout: 2s}}"
        server = serve(first, dies, echoes)
        record = await stage.run(config(both, server.port))
        await asyncio.to_thread(first.asked.wait)
        await record.until(Sent, 2)
        await stage.run(config(f"{both}, missed_threshold: 7", server.port))
        await record.until(Renewed)
        drop.set()
        await record.until(Waiting)
        await stage.run(config(rest, server.port))
        await record.until(Ready, 2)
        told = len(record.events)
        first.may_answer.set()
        await record.until(Disconnected, 2)
        later = record.events[told:]
        assert not [event for event in later if getattr(event, "mode", None) is Mode.PING]
        assert record.count(Echoed) > 0

    async def test_a_change_while_it_connects_makes_an_end_of_that(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WS_TEST_RENEWAL_KEY", "a.b.c")
        rest = "protocol: talo, ticket: {api_key: {env: WS_TEST_RENEWAL_KEY}}"
        record = await stage.run(config(rest, serve(talo(lambda peer: peer.wait_end())).port))
        await record.until(Opened)
        await stage.run(config(WITH_ID, serve(echoes).port))
        await record.until(Echoed)
        assert record.of(Disconnected)[0].abort_reason is AbortReason.RENEWED
        assert record.count(DialFailed) == 0

    @pytest.mark.parametrize("when", [Dialing, Renewed])
    async def test_a_stop_in_the_middle_leaves_nothing_open(
        self, serve: Serve, stage: Stage, when: type
    ) -> None:
        first = Answers()
        server = serve(first, echoes)
        record = await stage.run(config(SLOW_BEATS, server.port))
        await asyncio.to_thread(first.asked.wait)
        await stage.run(config(f"{SLOW_BEATS}, missed_threshold: 7", server.port))
        await record.until(when, 2 if when is Dialing else 1)
        stopping = asyncio.create_task(stage.fleet.stop())
        first.may_answer.set()
        async with asyncio.timeout(20):
            await stopping
        assert isinstance(record.events[-1], Stopped)
        assert [change.up for change in record.of(UpChanged)] == [True]
        sent, echoed = record.count(Sent), record.count(Echoed)
        assert sent == echoed + sum(aborted.count for aborted in record.of(Aborted))
        assert all(end.planned for end in record.of(Disconnected))

    async def test_a_bug_on_the_new_connection_costs_a_restart(
        self,
        serve: Serve,
        stage: Stage,
        monkeypatch: pytest.MonkeyPatch,
        soon: None,  # noqa: ARG002 - a fixture
    ) -> None:
        really = plans.make_dialect
        broken: list[ProbeConfig] = []

        def make_dialect(config: ProbeConfig) -> object:
            dialect = really(config)
            if config.missed_threshold == 7 and not broken:
                broken.append(config)
                monkeypatch.setattr(dialect, "opening", raises, raising=False)
            return dialect

        def raises() -> None:
            raise RuntimeError("hidden")

        server = serve(echoes)
        record = await stage.run(config(f"{WITH_ID}, {QUICK}", server.port))
        await record.until(Echoed)
        monkeypatch.setattr(plans, "make_dialect", make_dialect)
        await stage.run(config(f"{WITH_ID}, {QUICK}, missed_threshold: 7", server.port))
        await record.until(Ready, 2)
        await record.until(Echoed, record.count(Echoed) + 2)
        assert stage.probe().up


class TestBudgets:
    """Renewals are planned, so they wait for everybody else."""

    async def test_one_for_each_seller_of_tickets_at_a_time(self, stage: Stage) -> None:
        order: list[str] = []
        hold = asyncio.Event()

        async def renew(name: str, seller: str) -> None:
            async with stage.gate.without_hurry(seller):
                order.append(name)
                await hold.wait()

        tasks = [
            asyncio.create_task(renew(name, seller))
            for name, seller in (("a1", "a"), ("a2", "a"), ("b1", "b"))
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == ["a1", "b1"]
        hold.set()
        await asyncio.gather(*tasks)
        assert order == ["a1", "b1", "a2"]

    async def test_few_at_a_time_over_all(self, stage: Stage) -> None:
        inside = most = 0

        async def renew() -> None:
            nonlocal inside, most
            async with stage.gate.without_hurry(None):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(renew() for _ in range(100)))
        assert most == 25, "a quarter of all places"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Restart a probe that crashed at once."""
    monkeypatch.setattr("monitor.probing.fleet.RESTART_DELAY", 0.02)
    return lambda: None
