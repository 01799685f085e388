"""A round trip begins when the kernel let the bytes go, not when we asked it to."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from monitor.dialects.dialect import Frame
from monitor.net import kernel_stamps
from monitor.net.connection import Connection
from monitor.net.stamped_socket import StampedSocket
from tests.component.net.clients import Client
from tests.component.net.conftest import Serve
from tests.component.net.peers import PATIENCE, Peer

Beat = Callable[[Connection], float | None]

ROUNDS = 3

WATCHED = 0.3
"""Seconds for which a loop is watched that should have nothing to do."""

A_FEW = 20
"""More calls than come of a few wake-ups. Of being woken for ever come thousands."""


def message(connection: Connection) -> float | None:
    """Send a message."""
    return connection.send(Frame(b"beat"))


def long_message(connection: Connection) -> float | None:
    """Send a message that the library frames."""
    return connection.send(Frame(b"x" * 10_000))


def ping(connection: Connection) -> float | None:
    """Send a ping."""
    return connection.ping(b"beat")


class Taking:
    """A peer that takes frames, and tells when it had each."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._more = threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        peer.upgrade()
        while True:
            peer.read_frame()
            self.taken.append(time.monotonic())
            self._more.release()

    def wait(self) -> float:
        """Wait for one more frame; return when it had come."""
        assert self._more.acquire(timeout=PATIENCE)
        return self.taken[-1]


@pytest.mark.parametrize("beat", [message, long_message, ping])
async def test_a_beat_leaves_within_the_call_and_before_the_peer_has_it(
    serve: Serve, client: Client, scheme: dict[str, Any], beat: Beat
) -> None:
    """Later than the system call began: that much of our own is no part of the round trip."""
    peer = Taking()
    server = serve(peer, **scheme["serve"])
    connection, _ = await client.connect(server.port, **scheme["dial"])
    for _ in range(3):
        before = time.monotonic()
        left = beat(connection)
        after = time.monotonic()
        assert left is not None
        assert before < connection.sock.sent_at < left < after
        assert left < peer.wait()


async def test_of_several_frames_the_call_counts(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """The kernel tells when the last one left, and the first may have been answered by then."""
    peer = Taking()
    server = serve(peer, **scheme["serve"])
    connection, _ = await client.connect(server.port, **scheme["dial"])
    before = time.monotonic()
    sent = connection.send(Frame(b"beat"), copies=3)
    assert sent is not None
    assert before < sent == connection.sock.sent_at < connection.sock.left_at < time.monotonic()


async def test_a_beat_that_waits_for_the_peer_counts_from_the_call(
    serve: Serve, client: Client, scheme: dict[str, Any]
) -> None:
    """The peer takes nothing: what the beat waits for is the peer's, and is to be seen."""
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        assert go_on.wait(PATIENCE)
        peer.echo()

    server = serve(script, receive_buffer=4096, **scheme["serve"])
    connection, received = await client.connect(server.port, **scheme["dial"])
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    beats = 0

    def beat() -> bool:
        nonlocal beats
        beats += 1
        before = time.monotonic()
        sent = connection.send(Frame(b"x" * 2000))
        assert sent is not None
        assert before < sent < time.monotonic()
        return sent == connection.sock.sent_at

    while not beat():
        pass
    while not connection.transport.get_write_buffer_size():
        assert beat()
    # This one does not even get into the kernel.
    assert beat()
    go_on.set()
    await received.until(beats)
    assert connection.send(Frame(b"beat")) == connection.sock.left_at > connection.sock.sent_at


async def test_without_the_kernel_s_word_the_call_counts(
    serve: Serve, client: Client, scheme: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another platform."""
    monkeypatch.setattr(kernel_stamps, "request", lambda _: False)
    server = serve(Taking(), **scheme["serve"])
    connection, _ = await client.connect(server.port, **scheme["dial"])
    assert connection.timestamping == "loop"
    assert connection.send(Frame(b"beat")) == connection.sock.sent_at == connection.sock.left_at


class Counting(StampedSocket):
    """Counts what asyncio asks of it."""

    calls = 0

    def send(self, *args: Any) -> int:
        """Send."""
        self.calls += 1
        return super().send(*args)

    def sendmsg(self, *args: Any) -> int:
        """Send."""
        self.calls += 1
        return super().sendmsg(*args)

    def recv(self, *args: Any) -> bytes:
        """Receive."""
        self.calls += 1
        return super().recv(*args)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize(("much", "closing"), [(False, False), (True, False), (True, True)])
async def test_bytes_that_leave_later_wake_the_loop_once(
    serve: Serve, *, family: socket.AddressFamily, much: bool, closing: bool
) -> None:
    """Their stamps make the socket look ready until they are taken, also while it closes."""
    room = threading.Semaphore(0)
    made = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        for _ in range(ROUNDS):
            assert room.acquire(timeout=PATIENCE)
            peer.sock.recv(8000)
            made.release()
        assert room.acquire(timeout=PATIENCE)
        peer.wait_end()

    server = serve(script, family=family, receive_buffer=4096)
    loop = asyncio.get_running_loop()
    sock = Counting(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    await loop.sock_connect(sock, (host, server.port))
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=sock)
    for _ in range(3000 if much else 30):
        transport.write(b"x" * 900)
    assert sock.left_at == sock.sent_at
    assert (transport.get_write_buffer_size() > 0) is much
    if closing:
        transport.close()
    for _ in range(ROUNDS):
        sock.calls = 0
        room.release()
        assert await asyncio.to_thread(made.acquire, timeout=PATIENCE)
        await asyncio.sleep(WATCHED)
        assert sock.calls < A_FEW
    transport.abort()
    room.release()
