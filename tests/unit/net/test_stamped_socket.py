"""When bytes came and left: the kernel's word where it can be true, or the time of our call."""

import socket
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from monitor.net import kernel_stamps, stamped_socket
from monitor.net.kernel_stamps import SO_TIMESTAMPING, Ancillary
from monitor.net.stamped_socket import StampedSocket

WALL = 1_700_000_000.0


class Clocks:
    """Both clocks of the machine; `wall` can be set."""

    def __init__(self) -> None:
        self.monotonic = 50.0
        self.wall = WALL

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.wall += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Return the clocks that the socket reads."""
    clocks = Clocks()
    fake = SimpleNamespace(
        monotonic=lambda: clocks.monotonic, time_ns=lambda: round(clocks.wall * 1e9)
    )
    for module in (stamped_socket, kernel_stamps):
        monkeypatch.setattr(module, "time", fake)
    monkeypatch.setattr(kernel_stamps, "read", kernel_stamps.Clocks().read)
    return clocks


@pytest.fixture
def sock(clocks: Clocks) -> Iterator[StampedSocket]:
    """Return a socket that was made a second ago, and is not connected."""
    with StampedSocket(socket.AF_INET) as sock:
        clocks.go_on(1)
        yield sock


def note(sock: StampedSocket, ancillary: Ancillary, *, filled: bool = False) -> None:
    """Have the socket read something that came with this, and that filled the buffer or not."""
    sock._note_arrival(ancillary, filled=filled)


def stamp(wall: float) -> tuple[int, int, bytes]:
    """What the kernel says of bytes that came or left at this time of its wall clock."""
    seconds, rest = divmod(round(wall * 1e9), 1_000_000_000)
    return (socket.SOL_SOCKET, SO_TIMESTAMPING, struct.pack("6q", seconds, rest, 0, 0, 0, 0))


def test_a_stamp_tells_how_long_ago_the_bytes_came(sock: StampedSocket, clocks: Clocks) -> None:
    """Its age is taken from the monotonic time of the read."""
    note(sock, [stamp(clocks.wall - 0.25)])
    assert sock.stamped
    assert sock.arrived == pytest.approx(50.75, abs=1e-6)
    assert sock.read_at == 51.0


def test_without_a_stamp_the_time_of_the_read_stands_in(sock: StampedSocket) -> None:
    """And it is said so."""
    note(sock, [])
    assert (sock.arrived, sock.stamped) == (51.0, False)


def test_another_message_of_the_kernel_is_no_stamp(sock: StampedSocket, clocks: Clocks) -> None:
    """Only the one that was asked for is."""
    _, _, payload = stamp(clocks.wall - 0.25)
    note(sock, [(socket.SOL_SOCKET, 29, payload), (socket.IPPROTO_TCP, SO_TIMESTAMPING, payload)])
    assert (sock.arrived, sock.stamped) == (51.0, False)


def test_a_wall_clock_that_was_set_forward_makes_no_bytes_older_than_the_read_before(
    sock: StampedSocket, clocks: Clocks
) -> None:
    """They would have been read then."""
    arrival = stamp(clocks.wall)
    clocks.wall += 3600
    note(sock, [arrival])
    assert (sock.arrived, sock.stamped) == (51.0, False)


def test_a_wall_clock_that_was_set_back_makes_no_bytes_come_from_the_future(
    sock: StampedSocket, clocks: Clocks
) -> None:
    """Not even a second."""
    arrival = stamp(clocks.wall)
    clocks.wall -= 1
    note(sock, [arrival])
    assert (sock.arrived, sock.stamped) == (51.0, False)


def test_two_clocks_may_differ_by_a_hair(sock: StampedSocket, clocks: Clocks) -> None:
    """A stamp a moment ahead counts, and is not let into the future."""
    note(sock, [stamp(clocks.wall + 0.0005)])
    assert (sock.arrived, sock.stamped) == (51.0, True)


def test_bytes_may_come_right_before_the_read_before_ends(
    sock: StampedSocket, clocks: Clocks
) -> None:
    """The time of a read is taken after it."""
    note(sock, [])
    clocks.go_on(1)
    note(sock, [stamp(clocks.wall - 1.0005)])
    assert sock.stamped
    assert sock.arrived == pytest.approx(50.9995, abs=1e-6)


def test_each_read_is_judged_by_the_one_right_before_it(
    sock: StampedSocket, clocks: Clocks
) -> None:
    """Not by the first one."""
    clocks.go_on(10)
    note(sock, [])
    clocks.go_on(1)
    note(sock, [stamp(clocks.wall - 5)])
    assert (sock.arrived, sock.stamped) == (62.0, False)


def test_bytes_may_come_before_a_read_that_left_some(sock: StampedSocket, clocks: Clocks) -> None:
    """One that filled its buffer; what came before the one that emptied it cannot be here."""
    clocks.go_on(10)
    note(sock, [], filled=True)
    clocks.go_on(1)
    note(sock, [stamp(clocks.wall - 5)], filled=True)
    assert (sock.arrived, sock.stamped) == (pytest.approx(57, abs=1e-6), True)
    clocks.go_on(1)
    note(sock, [stamp(clocks.wall - 14)])
    assert (sock.arrived, sock.stamped) == (63.0, False)
    clocks.go_on(1)
    note(sock, [stamp(clocks.wall - 2)])
    assert not sock.stamped


def test_a_stamp_is_not_carried_over_to_the_next_read(sock: StampedSocket, clocks: Clocks) -> None:
    """Every read says for itself."""
    note(sock, [stamp(clocks.wall)])
    note(sock, [])
    assert not sock.stamped


def test_a_socket_is_fit_for_asyncio_from_the_start(sock: StampedSocket) -> None:
    """It never blocks, and it does not hold small frames back."""
    assert sock.gettimeout() == 0
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.kernel_stamps


class Kernel:
    """Lets bytes leave, and stamps them as it is told."""

    def __init__(self, clocks: Clocks) -> None:
        self.stamps: list[float] = []
        self.reads = 0
        self._clocks = clocks

    def receive(self, size: int, space: int, flags: int = 0) -> tuple[bytes, Ancillary, int, None]:
        """Stand in for `recvmsg`: no bytes are there, only stamps; to look takes a while."""
        if flags != socket.MSG_ERRQUEUE:
            raise BlockingIOError
        self.reads += 1
        self._clocks.go_on(0.25)
        if not self.stamps:
            raise BlockingIOError
        assert (size, space) == (0, kernel_stamps.SPACE)
        return b"", [stamp(self.stamps.pop(0))], flags, None


@pytest.fixture
def kernel(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Return the one that all sockets ask."""
    kernel = Kernel(clocks)
    for name in ("recvmsg", "recvmsg_into"):
        monkeypatch.setattr(StampedSocket, name, lambda _, *args: kernel.receive(*args))
    return kernel


@pytest.fixture
def connected(sock: StampedSocket, kernel: Kernel) -> Iterator[StampedSocket]:  # noqa: ARG001 - asked by `sock`
    """Return the socket, with a peer that reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock.settimeout(10)
        sock.connect(server.getsockname())
        sock.settimeout(0)
        yield sock


def test_a_stamp_tells_when_bytes_left(
    connected: StampedSocket, kernel: Kernel, clocks: Clocks
) -> None:
    """It is there when the call ends, and lies within it."""
    kernel.stamps = [clocks.wall + 0.125]
    assert connected.send(b"beat") == 4
    assert (connected.sent_at, connected.left_at) == (51.0, pytest.approx(51.125, abs=1e-6))


def test_of_bytes_that_are_held_up_the_time_of_the_call_counts(
    connected: StampedSocket, kernel: Kernel
) -> None:
    """They wait for the peer or for the network: that is what a round trip is to show."""
    assert connected.send(b"beat") == 4
    assert (connected.sent_at, connected.left_at, kernel.reads) == (51.0, 51.0, 1)


@pytest.mark.parametrize("off", [-3600.0, -0.001, 0.251, 3600.0])
def test_a_stamp_outside_of_the_call_is_another_one_s_or_of_another_clock(
    connected: StampedSocket, kernel: Kernel, clocks: Clocks, off: float
) -> None:
    """Bytes that were held up leave theirs later; and the wall clock may be set."""
    kernel.stamps = [clocks.wall + off]
    connected.send(b"beat")
    assert connected.left_at == 51.0


def test_each_call_is_judged_for_itself(
    connected: StampedSocket, kernel: Kernel, clocks: Clocks
) -> None:
    """A departure is not carried over."""
    kernel.stamps = [clocks.wall + 0.125]
    connected.send(b"beat")
    clocks.go_on(1)
    connected.send(b"beat")
    assert connected.left_at == connected.sent_at == 52.25


def test_when_a_part_left_is_not_when_the_whole_did(
    connected: StampedSocket, kernel: Kernel, clocks: Clocks
) -> None:
    """What did not fit goes out with a later call."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    kernel.stamps = [clocks.wall + 0.125]
    whole = bytes(8_000_000)
    assert 0 < connected.send(whole) < len(whole)
    assert connected.left_at == connected.sent_at == 51.0


def read(sock: StampedSocket) -> None:
    """Read when there is nothing."""
    sock.recv(100)


def read_into(sock: StampedSocket) -> None:
    """Read into a buffer when there is nothing."""
    sock.recv_into(memoryview(bytearray(100)))


def send(sock: StampedSocket) -> None:
    """Send until nothing fits any more."""
    while True:
        sock.send(bytes(1_000_000))


def send_message(sock: StampedSocket) -> None:
    """Send as asyncio does from Python 3.12 on, until nothing fits any more."""
    while True:
        sock.sendmsg([bytes(1_000_000)])


@pytest.mark.parametrize("call", [read, read_into, send, send_message])
def test_a_call_that_can_do_nothing_takes_the_late_stamps(
    connected: StampedSocket,
    kernel: Kernel,
    clocks: Clocks,
    call: Callable[[StampedSocket], None],
) -> None:
    """They woke the loop, and would wake it for ever."""
    kernel.stamps = [clocks.wall] * 40
    with pytest.raises(BlockingIOError):
        call(connected)
    assert kernel.stamps == []


def test_without_the_kernel_s_word_nobody_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel
) -> None:
    """A call of ours that finds nothing costs a call."""
    monkeypatch.setattr(kernel_stamps, "request", lambda _: False)
    with StampedSocket(socket.AF_INET) as sock, socket.create_server(("127.0.0.1", 0)) as server:
        sock.settimeout(10)
        sock.connect(server.getsockname())
        sock.settimeout(0)
        assert sock.send(b"beat") == 4
        assert sock.left_at == sock.sent_at
        for call in (read, read_into, send, send_message):
            with pytest.raises(BlockingIOError):
                call(sock)
    assert kernel.reads == 0


def test_where_the_kernel_has_no_such_option_the_socket_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It works all the same."""
    monkeypatch.setattr(kernel_stamps, "sys", SimpleNamespace(platform="darwin", maxsize=2**63))
    with StampedSocket(socket.AF_INET) as sock:
        assert not sock.kernel_stamps
        assert sock.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING) == 0


def test_where_the_kernel_refuses_the_option_the_socket_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it may in a sandbox."""
    monkeypatch.setattr(kernel_stamps, "SO_TIMESTAMPING", 9999)
    with StampedSocket(socket.AF_INET) as sock:
        assert not sock.kernel_stamps
