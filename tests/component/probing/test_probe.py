"""One probe's life: when it is ready, why it fails, when it comes back, and how it leaves."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from monitor.core.events import (
    Aborted,
    AbortReason,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Event,
    Indistinct,
    Initiator,
    Missed,
    Mode,
    Notice,
    Opened,
    PathMeasured,
    Ready,
    Sent,
    Skipped,
    SkipReason,
    Stopped,
    UpChanged,
    Waiting,
)
from monitor.core.failures import FailureReason, Phase
from monitor.core.lifecycle import State
from monitor.probing import fleet
from monitor.probing.probe import Probe
from tests.component.net.conftest import Serve, ServeAs
from tests.component.net.peers import (
    CLOSE,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Peer,
    Script,
    close_frame,
    frame,
)
from tests.component.probing.stage import (
    CONNECTED,
    QUICK,
    TEXT_WITH_ID,
    Stage,
    closes,
    config,
    echoes,
    heartbeats,
    swallows,
    talo,
)

KEY = "WS_TEST_PROBE_KEY"
TALO = f"protocol: talo, ticket: {{api_key: {{env: {KEY}}}}}, heartbeat: {{interval: 250ms}}"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the key that tickets are bought with."""
    monkeypatch.setenv(KEY, "a.b.c")


Luck = Callable[[float], None]


def floods(peer: Peer) -> None:
    """Push twenty thousand messages, unless the other side has enough of it before."""
    with contextlib.suppress(OSError):
        for _ in range(200):
            peer.send(frame(TEXT, b"pushed") * 100)


@pytest.fixture
def luck(monkeypatch: pytest.MonkeyPatch) -> Luck:
    """Return what says which part of its range every wait is: 0 the shortest, 1 the longest."""

    def luck(chance: float) -> None:
        monkeypatch.setattr(fleet, "Probe", partial(Probe, chance=lambda: chance))

    return luck


class TestReady:
    """101 is not ready."""

    async def test_nothing_is_sent_before_the_dialect_says_that_it_is_usable(
        self, serve: Serve, stage: Stage
    ) -> None:
        release, early = threading.Event(), []

        def after(peer: Peer) -> None:
            assert release.wait(PATIENCE)
            peer.sock.setblocking(False)
            try:
                early.append(peer.sock.recv(1))
            except BlockingIOError:
                early.append(None)
            peer.sock.settimeout(PATIENCE)
            peer.send(CONNECTED)
            peer.echo()

        record = await stage.run(config(TALO, serve(talo(after)).port))
        await record.until(Opened)
        assert (await record.until(Skipped, 2)).reason is SkipReason.NOT_CONNECTED
        assert stage.probe().state is State.OPENING
        assert not stage.probe().up
        assert record.count(Ready) == 0
        release.set()
        ready = await record.until(Ready)
        await record.until(Echoed)
        assert early == [None]
        assert stage.probe().up
        assert list(ready.phases) == [
            Phase.TICKET,
            Phase.DNS,
            Phase.TCP,
            Phase.UPGRADE,
            Phase.READY,
        ]
        assert ready.phases[Phase.READY] > 0.2
        assert ready.duration > sum(ready.phases.values()) * 0.9

    async def test_a_protocol_without_an_opening_is_ready_with_the_upgrade(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(config(TEXT_WITH_ID, serve(echoes).port))
        await record.until(Echoed, 3)
        assert record.story() == ["Dialing", "Opened", "Ready", "UpChanged"]
        assert record.of(Ready)[0].phases[Phase.READY] < 1

    async def test_what_came_with_the_101_counts(self, serve: Serve, stage: Stage) -> None:
        def script(peer: Peer) -> None:
            if peer.read_request().startswith("POST"):
                peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"ticket":"abc"}')
                return
            peer.upgrade(then=CONNECTED)
            peer.echo()

        record = await stage.run(config(TALO, serve(script).port))
        await record.until(Echoed)

    async def test_not_ready_in_time_is_a_failed_connect(self, serve: Serve, stage: Stage) -> None:
        rest = f"{TALO}, {QUICK}, timeouts: {{ready: 200ms}}"
        record = await stage.run(config(rest, serve(talo(lambda peer: peer.wait_end())).port))
        failed = await record.until(DialFailed)
        await record.until(Waiting)
        assert (failed.reason, failed.phase) == (FailureReason.NOT_READY, Phase.READY)
        assert failed.detail == "no answer within 0.2 s"
        assert list(failed.phases) == [Phase.TICKET, Phase.DNS, Phase.TCP, Phase.UPGRADE]
        assert record.story()[:5] == ["Dialing", "Opened", "Disconnected", "DialFailed", "Waiting"]
        (ended, *_) = record.of(Disconnected)
        assert (ended.initiator, ended.code) == (Initiator.LOCAL, 1006)
        assert (ended.abort_reason, ended.was_ready) == (AbortReason.NOT_READY, False)
        assert record.count(UpChanged) == 0

    async def test_a_close_before_ready_is_told_with_what_the_code_means(
        self, serve: Serve, stage: Stage
    ) -> None:
        def after(peer: Peer) -> None:
            peer.send(close_frame(3000, b"hidden"))
            peer.read_close()

        record = await stage.run(config(f"{TALO}, {QUICK}", serve(talo(after)).port))
        failed = await record.until(DialFailed)
        assert failed.reason is FailureReason.NOT_READY
        assert failed.detail == (
            "closed with 3000 before it was usable: the ticket or API key was refused, or the "
            "server's database is down"
        )

    async def test_what_a_peer_complains_of_is_passed_on_by_name(
        self, serve: Serve, stage: Stage
    ) -> None:
        complaint = b'{"res":"v1.error","data":{"errorCode":"RATE_LIMIT_EXCEEDED"}}'

        def after(peer: Peer) -> None:
            peer.send(CONNECTED + frame(TEXT, complaint))
            peer.echo()

        record = await stage.run(config(TALO, serve(talo(after)).port))
        assert (await record.until(Notice)).name == "talo_error_rate_limit_exceeded"


class TestWaits:
    """When it comes back."""

    async def test_waits_double_up_to_their_limit(self, stage: Stage, luck: Luck) -> None:
        luck(1.0)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            rest = "protocol: ping, reconnect: {base: 10ms, max: 60ms}"
            record = await stage.run(config(rest, nobody.getsockname()[1]))
            await record.until(Waiting, 5)
        delays = [waiting.delay for waiting in record.of(Waiting)][:5]
        assert delays == pytest.approx([0.01, 0.02, 0.04, 0.06, 0.06])
        failures = record.of(DialFailed)
        assert {failure.reason for failure in failures} == {FailureReason.TCP_REFUSED}
        for waiting, failure in zip(record.of(Waiting), failures[1:], strict=False):
            assert failure.at - waiting.at >= waiting.delay * 0.9

    async def test_a_peer_that_asks_for_a_pause_gets_it(self, serve: Serve, stage: Stage) -> None:
        def script(peer: Peer) -> None:
            peer.answer("HTTP/1.1 503 x", "Content-Length: 0", "Retry-After: 7")

        record = await stage.run(config(f"protocol: ping, {QUICK}", serve(script).port))
        assert (await record.until(Waiting)).delay == 7.0

    async def test_a_peer_that_accepts_and_closes_is_not_hammered(
        self, serve: Serve, stage: Stage, luck: Luck
    ) -> None:
        luck(0.0)
        rest = "protocol: ping, reconnect: {base: 40ms, max: 1s}"
        record = await stage.run(config(rest, serve(closes(1000)).port))
        await record.until(Waiting, 3)
        assert [waiting.delay for waiting in record.of(Waiting)[:3]] == [0.02, 0.02, 0.02]

    @pytest.mark.parametrize("pause", [(1012, 5.0, 30.0), (1013, 30.0, 60.0)])
    async def test_a_peer_that_says_when_to_come_back_is_heard(
        self, serve: Serve, stage: Stage, luck: Luck, pause: tuple[int, float, float]
    ) -> None:
        code, shortest, longest = pause
        server = serve(closes(code))
        rest = "protocol: ping, reconnect: {base: 10ms, max: 2m}"
        for chance, delay in ((0.0, shortest), (1.0, longest)):
            luck(chance)
            name = f"chance-{chance:g}"
            record = await stage.run(config(rest, server.port, name))
            assert (await record.until(Waiting)).delay == delay

    async def test_a_stable_connection_forgives_the_past(
        self, serve: Serve, stage: Stage, luck: Luck
    ) -> None:
        luck(1.0)
        rest = "protocol: ping, reconnect: {base: 10ms, max: 10s, stable_after: 50ms}"

        def lasts(peer: Peer) -> None:
            peer.upgrade()
            # Longer than what counts as stable, as seen from the other side.
            peer.sock.settimeout(0.2)
            with pytest.raises(TimeoutError):
                peer.wait_end()
            peer.send(close_frame(1000))

        record = await stage.run(config(rest, serve(closes(1000), closes(1000), lasts).port))
        await record.until(Waiting, 3)
        delays = [waiting.delay for waiting in record.of(Waiting)[:3]]
        assert delays == pytest.approx([0.01, 0.02, 0.01])

    async def test_a_refused_ticket_closes_its_seller_for_all(
        self, serve: Serve, stage: Stage
    ) -> None:
        def script(peer: Peer) -> None:
            peer.answer("HTTP/1.1 429 x", "Content-Length: 0", "Retry-After: 60")

        server = serve(script)
        record = await stage.run(config(TALO, server.port))
        failed = await record.until(DialFailed)
        waiting = await record.until(Waiting)
        assert (failed.reason, waiting.delay) == (FailureReason.TICKET, 60.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await stage.gate.ticket_turn(f"http://127.0.0.1:{server.port}")

    async def test_a_secret_that_is_missing_is_waited_for(
        self, serve: Serve, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(KEY)

        def after(peer: Peer) -> None:
            peer.send(CONNECTED)
            peer.echo()

        record = await stage.run(config(f"{TALO}, {QUICK}", serve(talo(after)).port))
        failed = await record.until(DialFailed)
        assert failed.reason is FailureReason.LOCAL
        assert failed.detail == f"environment variable {KEY} is not set"
        monkeypatch.setenv(KEY, "a.b.c")
        await record.until(Ready)


class TestVerdicts:
    """What its heartbeats say."""

    async def test_a_flood_ends_the_connection_and_backs_off_while_others_go_on(
        self, serve: Serve, stage: Stage
    ) -> None:
        farewells: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            floods(peer)
            farewells.append(peer.read_close())

        flooded, quiet = serve(script, echoes), serve(echoes)
        record = await stage.run(
            config(f"{TEXT_WITH_ID}, {QUICK}, max_message_rate: 1000", flooded.port),
            config(TEXT_WITH_ID, quiet.port, name="quiet"),
        )
        ended = await record.until(Disconnected)
        assert (ended.initiator, ended.code) == (Initiator.LOCAL, 1008)
        assert (ended.abort_reason, ended.planned) == (AbortReason.FLOODED, False)
        assert ended.detail == "too many messages in a second"
        await record.until(Waiting)
        await record.until(Echoed)
        assert farewells == [1008]
        await stage.records["quiet"].until(Echoed, 3)
        assert stage.records["quiet"].count(Disconnected) == 0

    async def test_the_dialect_says_nothing_of_a_code_that_is_ours(
        self, serve: Serve, stage: Stage
    ) -> None:
        """From a Talo server, 1008 would mean that its own limit was exceeded."""

        def ready_and_floods(peer: Peer) -> None:
            peer.send(CONNECTED)
            floods(peer)

        server = serve(talo(ready_and_floods))
        record = await stage.run(config(f"{TALO}, {QUICK}, max_message_rate: 1000", server.port))
        ended = await record.until(Disconnected)
        assert (ended.code, ended.detail) == (1008, "too many messages in a second")

    async def test_enough_misses_end_the_connection_at_once_and_without_a_farewell(
        self, serve: Serve, stage: Stage
    ) -> None:
        opcodes: list[int] = []

        def deaf(peer: Peer) -> None:
            peer.upgrade()
            heartbeats(peer, 1)
            peer.send(frame(TEXT, b"beat 0"))
            while True:
                opcodes.append(peer.read_frame()[0])

        rest = f"{TEXT_WITH_ID}, {QUICK}, missed_threshold: 3"
        server = serve(deaf, echoes)
        record = await stage.run(config(rest, server.port))
        ended = await record.until(Disconnected)
        assert (ended.initiator, ended.code) == (Initiator.LOCAL, 1006)
        assert (ended.abort_reason, ended.planned) == (AbortReason.MISSED, False)
        assert [missed.consecutive for missed in record.of(Missed)] == [1, 2, 3]
        third = record.of(Missed)[2]
        assert ended.at - third.at < 10
        between = record.events[record.events.index(third) : record.events.index(ended)]
        assert [type(event) for event in between].count(UpChanged) == 1
        await record.until(Ready, 2)
        await record.until(Echoed, 3)
        assert [change.up for change in record.of(UpChanged)] == [True, False, True]
        assert set(opcodes) == {TEXT}

    async def test_a_peer_that_greets_and_never_echoes_stays_down(
        self, serve: Serve, stage: Stage
    ) -> None:
        """The first greeting after an echo is believed, the ones after it are not."""
        deafness = threading.Event()
        deafness.set()

        def greets(peer: Peer) -> None:
            peer.send(CONNECTED)
            if deafness.is_set():
                peer.read_close()
            else:
                peer.echo()

        rest = f"{TALO[:-1]}, timeout: 50ms}}, {QUICK}, missed_threshold: 1"
        record = await stage.run(config(rest, serve(talo(greets)).port))
        await record.until(Ready, 4)
        assert [change.up for change in record.of(UpChanged)] == [True, False]
        assert not stage.probe().up
        deafness.clear()
        await record.until(Echoed)
        assert stage.probe().up
        assert [change.up for change in record.of(UpChanged)] == [True, False, True]

    async def test_fewer_misses_than_the_threshold_change_nothing(
        self, serve: Serve, stage: Stage
    ) -> None:
        def forgetful(peer: Peer) -> None:
            peer.upgrade()
            for number in range(1000):
                (payload,) = heartbeats(peer, 1)
                if number % 3:
                    peer.send(frame(TEXT, payload))

        record = await stage.run(
            config(f"{TEXT_WITH_ID}, missed_threshold: 5", serve(forgetful).port)
        )
        await record.until(Missed, 3)
        assert record.count(Disconnected) == 0
        assert [change.up for change in record.of(UpChanged)] == [True]

    async def test_both_modes_beat_on_one_connection_and_each_has_its_books(
        self, serve: Serve, stage: Stage
    ) -> None:
        def deaf_to_messages(peer: Peer) -> None:
            peer.upgrade()
            while (beat := peer.read_frame())[0] != CLOSE:
                if beat[0] == PING:
                    peer.send(frame(PONG, beat[1]))

        rest = f"{TEXT_WITH_ID}, ping: {{interval: 50ms}}, missed_threshold: 1000"
        record = await stage.run(config(rest, serve(deaf_to_messages).port))
        await record.until(Missed, 3)
        await record.until(Echoed, 3)
        assert {missed.mode for missed in record.of(Missed)} == {Mode.MESSAGE}
        assert {echoed.mode for echoed in record.of(Echoed)} == {Mode.PING}

    async def test_a_pong_that_was_not_asked_for_answers_nothing(
        self, serve: Serve, stage: Stage
    ) -> None:
        def chatty(peer: Peer) -> None:
            peer.upgrade(then=frame(PONG) + frame(PONG, b"0123456789abcdef-0"))
            peer.echo()

        record = await stage.run(
            config("protocol: ping, ping: {interval: 50ms}", serve(chatty).port)
        )
        await record.until(Echoed, 2)
        books = stage.probe().heartbeats[Mode.PING].books
        assert books.unsolicited == 2

    async def test_the_kernel_s_view_of_the_path_is_told_on_demand(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(config(TEXT_WITH_ID, serve(echoes).port))
        stage.fleet.measure_paths()
        assert record.count(PathMeasured) == 0
        await record.until(Echoed)
        stage.fleet.measure_paths()
        (measured,) = record.of(PathMeasured)
        assert 0 < measured.rtt < 1
        assert measured.retransmits == 0

    async def test_echoes_that_cannot_be_told_apart_cost_the_connection_not_the_verdict(
        self, serve: Serve, stage: Stage
    ) -> None:
        record = await stage.run(config(f"{TEXT_WITH_ID}, {QUICK}", serve(echoes).port))
        await record.until(Echoed)
        stage.probe()._follow([Indistinct(Mode.MESSAGE, 0.0)])
        ended = await record.until(Disconnected)
        assert (ended.initiator, ended.code) == (Initiator.LOCAL, 1000)
        assert ended.abort_reason is AbortReason.AMBIGUOUS
        await record.until(Ready, 2)


class Answering:
    """A peer that echoes at once, and knows how many beats it has answered."""

    def __init__(self) -> None:
        self.answered = 0

    def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        peer.upgrade()
        while True:
            (payload,) = heartbeats(peer, 1)
            peer.send(frame(TEXT, payload))
            self.answered += 1

    def hold_the_loop(self, beats: int, seconds: float) -> float:
        """Hold the running loop until so many beats are answered, and then for so long.

        Return when the last one had been answered.
        """
        while self.answered < beats:
            time.sleep(0.001)
        answered_at = time.monotonic()
        time.sleep(seconds)
        return answered_at


class TestOwnStall:
    """Our own stall is never a miss."""

    BEATS = "protocol: text, text: {send: 'x {id}'}, heartbeat: {interval: 100ms, timeout: 1s}"

    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_an_echo_that_came_while_the_loop_was_held_is_echoed_with_its_true_time(
        self, serve_as: ServeAs, stage: Stage, secure: bool
    ) -> None:
        peer = Answering()
        rest = self.BEATS + (", tls: {verify: false}" if secure else "")
        port = serve_as(secure, peer).port
        record = await stage.run(config(rest, port, scheme="wss" if secure else "ws"))
        await record.until(Sent, 2)
        sent, echoed = record.count(Sent), record.count(Echoed)
        assert sent > echoed, "a beat has only just been sent"
        answered_at = peer.hold_the_loop(sent, 1.3)
        last = await record.until(Echoed, sent)
        assert last.at < answered_at + 0.1
        assert record.count(Missed) == 0
        await record.until(Sent, sent + 1)
        overrun = [skip.count for skip in record.of(Skipped) if skip.reason is SkipReason.OVERRUN]
        assert sum(overrun) >= 3

    async def test_an_echo_that_did_not_come_while_the_loop_was_held_is_missed(
        self, serve: Serve, stage: Stage
    ) -> None:
        rest = f"{TEXT_WITH_ID}, missed_threshold: 1000"
        record = await stage.run(config(rest, serve(swallows).port))
        await record.until(Sent)
        Answering().hold_the_loop(0, 0.2)
        await record.until(Missed)
        assert record.count(Echoed) == 0


class TestLeaving:
    """How it ends."""

    async def test_a_planned_stop_says_going_away_and_is_no_verdict(
        self, serve: Serve, stage: Stage
    ) -> None:
        codes: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            codes.append(peer.read_close())
            peer.send(close_frame(codes[0]))

        rest = "protocol: text, text: {send: 'x {id}'}, heartbeat: {interval: 50ms, timeout: 5s}"
        server = serve(script)
        record = await stage.run(config(rest, server.port))
        await record.until(Sent, 2)
        await stage.fleet.stop()
        assert codes == [1001]
        ended = record.of(Disconnected)[0]
        assert (ended.initiator, ended.code) == (Initiator.LOCAL, 1001)
        assert (ended.abort_reason, ended.planned) == (AbortReason.SHUTDOWN, True)
        assert record.of(Aborted)[0].count >= 2
        assert [change.up for change in record.of(UpChanged)] == [True]
        assert isinstance(record.events[-1], Stopped)
        assert record.count(Waiting) == 0
        assert record.forgotten

    async def test_a_stop_before_it_was_ready_is_no_failed_connect(
        self, serve: Serve, stage: Stage
    ) -> None:
        def after(peer: Peer) -> None:
            assert peer.read_close() == 1001

        record = await stage.run(config(TALO, serve(talo(after)).port))
        await record.until(Opened)
        await stage.fleet.stop()
        assert record.story() == ["Dialing", "Opened", "Disconnected", "Stopped"]

    @pytest.mark.parametrize(
        ("script", "until"),
        [(lambda peer: peer.wait_end(), Dialing), (closes(1000), Waiting)],
        ids=["dialling", "waiting"],
    )
    async def test_a_stop_without_a_connection_waits_for_nothing(
        self, serve: Serve, stage: Stage, script: Script, until: type[Event]
    ) -> None:
        rest = "protocol: ping, reconnect: {base: 1h, max: 1h}"
        record = await stage.run(config(rest, serve(script).port))
        await record.until(until)
        began = asyncio.get_running_loop().time()
        await stage.fleet.stop()
        assert asyncio.get_running_loop().time() - began < PATIENCE / 3
        assert isinstance(record.events[-1], Stopped)

    async def test_a_peer_that_does_not_let_go_delays_a_stop_by_its_deadline_at_most(
        self, serve: Serve, stage: Stage
    ) -> None:
        rest = f"{TEXT_WITH_ID}, timeouts: {{close: 200ms}}"

        def clings(peer: Peer) -> None:
            peer.upgrade()
            peer.wait_end()

        record = await stage.run(config(rest, serve(clings).port))
        await record.until(Sent)
        async with asyncio.timeout(PATIENCE):
            await stage.fleet.stop()
        assert record.of(Disconnected)[0].code == 1001
