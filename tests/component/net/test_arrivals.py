"""Times are taken at the socket: an RTT is the network's and the peer's, not our own loop's."""

import threading
import time
from typing import Any

import pytest

from monitor.dialects.dialect import Frame
from monitor.net import kernel_stamps, stamped_socket
from monitor.net.connection import Arrival
from monitor.net.loop_watch import HELD
from tests.component.net.clients import Client, Received
from tests.component.net.conftest import Serve
from tests.component.net.peers import PATIENCE, TEXT, Peer, Span, frame

HOLD = 0.25
"""Seconds for which tests hold the loop after the answer has arrived."""

SLACK = 0.1
"""Seconds by which a time may be off on a busy machine; far less than `HOLD`."""


class Echoing:
    """A peer that answers each message by so many frames, `gap` apart, and tells when."""

    def __init__(self, answers: int = 1, gap: float = 0.0) -> None:
        self.spans: list[Span] = []
        self.answered = threading.Event()
        self._answers = answers
        self._gap = gap

    def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        peer.upgrade()
        while True:
            _, payload = peer.read_frame()
            for answer in range(self._answers):
                time.sleep(self._gap if answer else 0)
                self.spans.append(peer.send(frame(TEXT, payload + b"%d" % answer)))
            self.answered.set()

    def have_answered(self) -> None:
        """Keep the running loop from looking until the peer knows when it has answered."""
        assert self.answered.wait(PATIENCE)
        self.answered.clear()

    def hold_the_loop(self) -> None:
        """Keep the running loop from looking until well after the last answer has arrived."""
        self.have_answered()
        time.sleep(HOLD)


def assert_arrived(at: float, span: Span) -> None:
    """See that a time is that of the peer's send."""
    assert span.before - SLACK < at < span.after + SLACK


async def test_an_echo_that_waits_for_a_held_loop_keeps_its_true_time(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """The loop reads it a quarter of a second later, and does not say so."""
    peer = Echoing()
    server = serve(peer, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    assert connection.timestamping == "kernel"
    for beat in range(2):
        sent = connection.send(Frame(b"beat"))
        assert sent is not None
        peer.hold_the_loop()
        await received.until(beat + 1)
        arrival, span = received.arrivals[beat], peer.spans[beat]
        assert_arrived(arrival.at, span)
        assert arrival.earliest == arrival.at
        assert received.read_at[beat] - arrival.at > HOLD - SLACK
        assert arrival.at - sent < span.after - sent + SLACK


async def test_of_two_echoes_read_together_only_the_last_one_s_time_is_known(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """The kernel keeps one stamp for both. The first came at some time since the last look."""
    peer = Echoing(answers=2, gap=HOLD)
    server = serve(peer, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    sent = connection.send(Frame(b"beat"))
    assert sent is not None
    peer.hold_the_loop()
    await received.until(2)
    first, last = received.arrivals
    assert_arrived(last.at, peer.spans[1])
    assert last.earliest == last.at
    assert first.earliest <= peer.spans[0].after
    assert first.earliest < first.at - HOLD / 2
    assert first.at == last.at


async def test_however_echoes_are_read_their_times_are_within_what_is_said(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """One by one, as ever when nobody holds the loop, or several together on a busy machine."""
    peer = Echoing(answers=3, gap=0.05)
    server = serve(peer, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    connection.send(Frame(b"beat"))
    await received.until(3)
    peer.have_answered()
    for arrival, span in zip(received.arrivals, peer.spans, strict=True):
        assert arrival.earliest - SLACK < span.after
        assert span.before - SLACK < arrival.at


async def test_without_the_kernel_s_word_a_held_loop_knows_that_it_does_not_know(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The echo came at some time since the last look, not when it was read."""
    monkeypatch.setattr(kernel_stamps, "request", lambda _: False)
    peer = Echoing()
    connection, received = await client.connect(serve(peer).port)
    assert connection.timestamping == "loop"
    sent = connection.send(Frame(b"beat"))
    assert sent is not None
    peer.hold_the_loop()
    await received.until(1)
    (arrival,) = received.arrivals
    assert arrival.earliest <= peer.spans[0].after
    assert arrival.at - arrival.earliest > HOLD - SLACK


async def test_without_the_kernel_s_word_a_prompt_loop_s_own_time_stands_in(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the time of the read."""
    monkeypatch.setattr(kernel_stamps, "request", lambda _: False)
    peer = Echoing()
    connection, received = await client.connect(serve(peer).port)
    connection.send(Frame(b"beat"))
    await received.until(1)
    peer.have_answered()
    assert peer.spans[0].before < received.arrivals[0].at < received.read_at[0]


async def test_unread_bytes_are_known_to_have_come_in_time(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """So that a deadline can wait for what already lies in the kernel."""
    peer = Echoing()
    server = serve(peer, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    assert not connection.unread_since(time.monotonic())
    connection.send(Frame(b"beat"))
    peer.hold_the_loop()
    assert connection.unread_since(time.monotonic())
    await received.until(1)
    assert not connection.unread_since(time.monotonic())


class Busy(Received):
    """Holds the loop for a moment with each message that it takes."""

    def message(self, data: bytes, *, text: bool, arrival: Arrival) -> None:
        """Take a message, and some time over it."""
        super().message(data, text=text, arrival=arrival)
        time.sleep(2 * HELD)


@pytest.mark.parametrize("taker", [Received, Busy])
async def test_a_backlog_that_takes_several_reads_is_in_doubt_to_its_end(
    serve: Serve,
    client: Client,
    scheme: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    taker: type[Received],
) -> None:
    """Only the first read after a hold tells since when we were away; the others know less."""
    parts, each, size = 3, 5, 2000
    monkeypatch.setattr(stamped_socket, "READ_SIZE", 8192)
    spans: list[Span] = []
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.read_frame()
        for _ in range(parts):
            spans.extend(peer.send(frame(TEXT, b"x" * size)) for _ in range(each))
            time.sleep(0.1)
        sent.set()
        peer.wait_end()

    server = serve(script, **scheme["serve"])
    connection = (await client.dial(server.port, **scheme["dial"])).connection
    received = taker()
    connection.deliver_to(received)
    connection.send(Frame(b"go"))
    assert sent.wait(PATIENCE)
    read_at = time.monotonic()
    await received.until(parts * each)
    for arrival, span in zip(received.arrivals, spans, strict=True):
        assert arrival.earliest - SLACK < span.after
        assert span.before - SLACK < arrival.at
    in_doubt = [arrival for arrival in received.arrivals if arrival.earliest < arrival.at]
    assert len(in_doubt) >= parts * each - 1
    assert all(arrival.earliest < read_at for arrival in in_doubt)


async def test_what_the_kernel_had_no_room_for_is_as_old_as_the_hold(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """It comes when we read again. That it could not come before was our own doing."""

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.read_frame()
        for _ in range(64):
            peer.send(frame(TEXT, b"x" * 100_000))
        peer.send(frame(TEXT, b"echo"))
        peer.wait_end()

    server = serve(script, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    connection.send(Frame(b"beat"))
    time.sleep(2 * HOLD)  # noqa: ASYNC251 - nobody reads meanwhile
    went_on = time.monotonic()
    await received.until(1)
    assert connection.unread_since(went_on)
    await received.until(65)
    echo = received.arrivals[-1]
    assert echo.earliest < went_on < echo.at


async def test_what_came_after_an_echo_and_is_not_whole_yet_does_not_date_it(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """The kernel's one stamp is that of the latest bytes, and those are another message's."""
    spans: list[Span] = []
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.read_frame()
        spans.append(peer.send(frame(TEXT, b"echo")))
        time.sleep(HOLD)
        peer.send(frame(TEXT, b"x" * 1000)[:500])
        sent.set()
        peer.wait_end()

    server = serve(script, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    connection.send(Frame(b"beat"))
    assert sent.wait(PATIENCE)
    await received.until(1)
    (echo,) = received.arrivals
    assert echo.earliest - SLACK < spans[0].after
    assert spans[0].before - SLACK < echo.at
