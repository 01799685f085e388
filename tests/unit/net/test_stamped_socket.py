"""When bytes arrived: the kernel's word where it can be true, the time of the read otherwise."""

import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from monitor.net import stamped_socket
from monitor.net.stamped_socket import StampedSocket

SO_TIMESTAMPNS = 35
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
    monkeypatch.setattr(stamped_socket, "time", fake)
    return clocks


@pytest.fixture
def sock(clocks: Clocks) -> Iterator[StampedSocket]:
    """Return a socket that was made a second ago, and is not connected."""
    with StampedSocket(socket.AF_INET) as sock:
        clocks.go_on(1)
        yield sock


def note(
    sock: StampedSocket, ancillary: list[tuple[int, int, bytes]], *, filled: bool = False
) -> None:
    """Have the socket read something that came with this, and that filled the buffer or not."""
    sock._note_arrival(ancillary, filled=filled)


def stamp(wall: float) -> tuple[int, int, bytes]:
    """What the kernel puts beside bytes that arrived at this time of its wall clock."""
    seconds, rest = divmod(round(wall * 1e9), 1_000_000_000)
    return (socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("qq", seconds, rest))


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
    note(sock, [(socket.SOL_SOCKET, 29, payload), (socket.IPPROTO_TCP, SO_TIMESTAMPNS, payload)])
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


def test_where_the_kernel_has_no_such_option_the_socket_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It works all the same."""
    monkeypatch.setattr(stamped_socket, "sys", SimpleNamespace(platform="darwin", maxsize=2**63))
    with StampedSocket(socket.AF_INET) as sock:
        assert not sock.kernel_stamps
        assert sock.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS) == 0


def test_where_the_kernel_refuses_the_option_the_socket_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it may in a sandbox."""
    monkeypatch.setattr(stamped_socket, "_SO_TIMESTAMPNS", 9999)
    with StampedSocket(socket.AF_INET) as sock:
        assert not sock.kernel_stamps
